"""A page asks a store a bounded number of things, however much the store holds."""

from __future__ import annotations

import os

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_eventstore import Event, Snapshot, event_stores

MOST_QUERIES = 30
MOST_REQUESTS = 150
"""Of these, a page of ten actors takes two requests each: JetStream reads first and last."""


def addresses(pages, position: int) -> dict[str, str]:
    return {
        "store": pages("store"),
        "actors": pages("actors"),
        "actor": pages("actor", "a-1"),
        "state": pages("state", "a-1"),
        "as of": pages("state", "a-1") + "?at=2026-01-01",
        "blame": pages("blame", "a-1"),
        "event": pages("event", position),
        "compare": pages("compare") + "?actor=a-1&actor=a-2&actor=a-3",
        "search": pages("search") + "?user=mia",
        "search id": pages("search") + "?id=nobody",
        "malformed": pages("malformed"),
        "jump": pages("jump") + "?q=a-",
    }


def grow(store, name: str, actors: int, events: int) -> None:
    for number in range(actors):
        history = [Event(f"{name}-{number}", f"T{place % 5}") for place in range(events)]
        store.save_events([event.with_metadata(user_id="mia") for event in history])
    store.save_snapshot(Snapshot(f"{name}-1", 2, {}, schema_version=2))


@pytest.fixture
def small_pages(settings, order_fold):
    # So much time that no page depends on how fast the machine is.
    settings.EVENT_STORE_ADMIN = {"page_size": 10, "time_limit": 60.0}


@pytest.mark.django_db
def test_a_database_store_is_asked_as_often_when_it_is_large(admin, pages, settings, small_pages):
    settings.EVENT_STORES = {
        "default": {"BACKEND": "django_eventstore.backends.database.DatabaseEventStore"}
    }
    store = event_stores["default"]

    def queries() -> dict[str, int]:
        counted = {}
        for name, address in addresses(pages, position).items():
            with CaptureQueriesContext(connection) as captured:
                assert admin.get(address, follow=True).status_code == 200
            counted[name] = len(captured)
        return counted

    grow(store, "a", 15, 30)
    position = store.get_events("a-1", limit=1)[0].position
    small = queries()
    grow(store, "a", 60, 60)
    large = queries()
    # "As of" halves the range of versions: it takes one query more for twice the events.
    assert large.pop("as of") <= small.pop("as of") + 4
    assert large == small
    assert max(large.values()) <= MOST_QUERIES


@pytest.mark.django_db
def test_a_jetstream_store_is_asked_a_bounded_number_of_times(
    admin, pages, settings, small_pages, nats_server
):
    settings.EVENT_STORES = {
        "default": {
            "BACKEND": "django_eventstore.backends.jetstream.JetStreamEventStore",
            "OPTIONS": {
                "servers": [nats_server.url],
                "stream_name": f"bounds-{os.urandom(4).hex()}",
            },
        }
    }
    store = event_stores["default"]
    grow(store, "a", 300, 12)
    position = store.get_events("a-1", limit=1)[0].position
    for name, address in addresses(pages, position).items():
        before = nats_server.monitor("varz")["in_msgs"]
        assert admin.get(address, follow=True).status_code == 200
        asked = nats_server.monitor("varz")["in_msgs"] - before
        assert asked <= MOST_REQUESTS, name
