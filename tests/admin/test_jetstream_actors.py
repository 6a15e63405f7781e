"""The list of actors of a JetStream store, which has an index of neither ids nor times."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import pytest
from django.utils import timezone

from django_eventstore import Event, event_stores
from tests.support.jetstream import publish_many

MANY = 20_000


@pytest.fixture
def stream(settings, nats_server, db):
    """A store on a stream of its own; asked later, it has forgotten nothing and knows nothing."""
    settings.EVENT_STORES = {
        "default": {
            "BACKEND": "django_eventstore.backends.jetstream.JetStreamEventStore",
            "OPTIONS": {"servers": [nats_server.url], "stream_name": f"a{os.urandom(4).hex()}"},
        }
    }
    store = event_stores["default"]
    store.setup()
    return store


@pytest.fixture
def crowded(stream, nats_server):
    """The store with many actors."""
    document = json.dumps({"event_type": "placed", "version": 1})
    publish_many(
        nats_server.url,
        (
            (
                f"{stream.stream_name}.events.actor-{number:07d}.1",
                document.replace("{", f'{{"id": "id-{number}", ', 1).encode(),
            )
            for number in range(MANY)
        ),
    )
    return stream


def ids(response):
    return [row.actor.actor_id for row in response.context["rows"]]


def test_the_list_begins_with_the_latest_and_needs_no_other_actor(
    admin, crowded, pages, nats_server
):
    crowded.save_event(Event("actor-0000007", "paid"))
    before = nats_server.monitor("varz")["out_msgs"]
    response = admin.get(pages("actors"))
    assert ids(response)[:3] == ["actor-0000007", "actor-0019999", "actor-0019998"]
    response = admin.get(response.context["next_url"])
    assert ids(response)[:2] == ["actor-0019950", "actor-0019949"]
    response = admin.get(pages("actors") + "?o=last_position")
    assert ids(response)[:2] == ["actor-0000000", "actor-0000001"]
    assert nats_server.monitor("varz")["out_msgs"] - before < MANY


def test_a_search_shows_what_was_found_in_time_and_goes_on(admin, crowded, pages, settings):
    settings.EVENT_STORE_ADMIN = {"time_limit": 0.001}
    visits = 0
    response = admin.get(pages("actors") + "?q=9999")
    while response.context["again_url"]:
        visits += 1
        assert "So far it has looked through" in response.content.decode()
        response = admin.get(response.context["again_url"])
    assert visits > 0
    assert ids(response) == ["actor-0009999", "actor-0019999"]
    assert not response.context["note"]


def test_a_list_by_id_is_paged_while_it_is_not_complete(admin, crowded, pages, settings):
    settings.EVENT_STORE_ADMIN = {"time_limit": 0.001, "page_size": 10}
    response = admin.get(pages("actors") + "?o=actor_id")
    assert response.context["again_url"]
    assert ids(response) == [f"actor-{number:07d}" for number in range(10)]
    response = admin.get(response.context["next_url"])
    assert ids(response) == [f"actor-{number:07d}" for number in range(10, 20)]


def test_actors_are_filtered_by_when_they_were_seen(admin, stream, pages, settings):
    settings.EVENT_STORE_ADMIN = {"page_size": 2}
    now = timezone.now()
    # Stored in another order than they happened, as an import may: the times count.
    for name, days in (("a", 100), ("b", 0.1), ("c", 400), ("d", 2), ("e", 50), ("f", 3)):
        stream.save_event(Event(name, "T", timestamp=now - timedelta(days=days)))

    def seen(name: str) -> list[str]:
        found = []
        address = f"{pages('actors')}?seen={name}"
        while address:
            response = admin.get(address)
            found += ids(response)
            address = response.context["next_url"]
        return found

    assert seen("week") == ["f", "d", "b"]
    assert seen("not-month") == ["a", "c", "e"]
    assert seen("year") == ["f", "e", "d", "b", "a"]
    assert seen("not-year") == ["c"]


def test_a_filter_that_nobody_fits_ends_in_time(admin, crowded, pages, settings):
    settings.EVENT_STORE_ADMIN = {"time_limit": 0.001}
    response = admin.get(pages("actors") + "?seen=not-year")
    assert ids(response) == []
    assert "The time ran out before the page was full." in response.content.decode()
    assert "None among those looked at so far." in response.content.decode()
    assert "Look further" in response.content.decode()
    assert ids(admin.get(response.context["next_url"])) == []


def test_the_quick_open_suggests_what_was_found_so_far(admin, crowded, pages):
    labels = [
        suggestion["label"]
        for suggestion in admin.get(pages("jump") + "?q=actor-0000042").json()["suggestions"]
    ]
    assert labels[0] == "actor-0000042"
