"""The page of all stores and that of one; a store that has gone wrong spoils no other."""

from __future__ import annotations

import os

import pytest
from django.db import connection

from django_eventstore import Event, event_stores

pytestmark = pytest.mark.django_db


def test_a_store_that_does_not_answer_spoils_no_page(text, pages, settings):
    settings.EVENT_STORES = {
        "default": {"BACKEND": "django_eventstore.backends.memory.InMemoryEventStore"},
        "down": {
            "BACKEND": "django_eventstore.backends.jetstream.JetStreamEventStore",
            "OPTIONS": {"servers": ["nats://someone:secret@127.0.0.1:1"], "timeout": 0.3},
        },
    }
    page = text(pages("stores"))
    assert "Answers" in page
    assert "Does not answer" in page
    assert "secret" not in page


def test_a_store_that_does_not_answer_says_so_on_its_pages(admin, pages, settings):
    settings.EVENT_STORES = {
        "default": {
            "BACKEND": "django_eventstore.backends.jetstream.JetStreamEventStore",
            "OPTIONS": {"servers": ["nats://someone:secret@127.0.0.1:1"], "timeout": 0.3},
        }
    }
    response = admin.get(pages("actors"))
    assert response.status_code == 503
    assert "Store unavailable" in response.content.decode()
    assert "secret" not in response.content.decode()


def test_a_store_with_wrong_settings_spoils_no_page_of_another(admin, store, pages, settings):
    settings.EVENT_STORES = {
        **settings.EVENT_STORES,
        "wrong": {
            "BACKEND": "django_eventstore.backends.database.DatabaseEventStore",
            "OPTIONS": 5,
        },
    }
    assert "wrong" in admin.get(pages("stores")).content.decode()
    labels = [entry["label"] for entry in admin.get(pages("jump")).json()["suggestions"]]
    assert "default" in labels
    assert "wrong" not in labels
    pages.alias = "wrong"
    refused = admin.get(pages("actors"))
    assert (refused.status_code, "must be a dict" in refused.content.decode()) == (503, True)


def test_a_store_that_was_not_migrated_spoils_no_page(admin, pages, settings):
    settings.EVENT_STORES = {
        "default": {"BACKEND": "django_eventstore.backends.database.DatabaseEventStore"}
    }
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_eventstore_eventrecord RENAME TO elsewhere")
    listed = admin.get(pages("stores"))
    assert "Does not answer" in listed.content.decode()
    assert "no such table" in admin.get(pages("store")).content.decode()
    refused = admin.get(pages("malformed"))
    assert (refused.status_code, "no such table" in refused.content.decode()) == (503, True)


def test_the_version_cache_is_checked_against_the_store(admin, pages, settings, nats_server):
    settings.EVENT_STORES = {
        "default": {
            "BACKEND": "django_eventstore.backends.jetstream.JetStreamEventStore",
            "OPTIONS": {
                "servers": [nats_server.url],
                "stream_name": f"cache-{os.urandom(4).hex()}",
            },
        }
    }
    store = event_stores["default"]
    for actor_id in ("a", "b", "c"):
        store.save_event(Event(actor_id, "T"))
    page = admin.get(pages("store"))
    assert "Version cache" in page.content.decode()
    assert page.context["health"].statistics.details["messages"] == 3
    # As another process leaves it behind, which appends on.
    stale = store.version_cache.get("b")
    store.save_event(Event("b", "T"))
    store.version_cache.set("b", stale)
    response = admin.post(pages("check_cache"), follow=True)
    [message] = response.context["messages"]
    assert str(message) == "Entries compared with the store: 3, stale: 1."
    assert admin.get(pages("check_cache")).status_code == 405
    # The stale entry is gone, so the next append need not learn it from a refusal.
    assert "b" not in {entry.actor_id for entry in store.version_cache.entries()}
