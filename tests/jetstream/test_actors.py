"""The list of actors: complete when it is long, kept, and true to what comes and goes."""

from __future__ import annotations

import json
import os

import pytest

from django_eventstore import Event
from tests.jetstream.stores import open_store, publish_many, purge

MANY = 120_000
"""More than the server lists at a time, which is 100,000."""


@pytest.fixture
def namespace():
    return f"t{os.urandom(4).hex()}"


def first_appends(store, numbers):
    """Return (subject, payload) of an event of each `actor-<number>`."""
    for number in numbers:
        payload = {"id": f"id-{number}", "event_type": "placed", "version": 1}
        subject = f"{store.stream_name}.events.actor-{number:07d}.1"
        yield subject, json.dumps(payload).encode()


def names(page):
    return [actor.actor_id for actor in page]


def prune(store, actor_id, append):
    """Remove an append as retention would, and what this process knows of the actor."""
    url = ",".join(store.options.servers)
    purge(url, store.stream_name, f"{store.stream_name}.events.{actor_id}.{append}")
    store.version_cache.clear()


def test_more_actors_than_the_server_lists_at_a_time(nats_server, namespace):
    store = open_store(nats_server.url, namespace)
    store.setup()
    publish_many(nats_server.url, first_appends(store, range(MANY)))
    assert store.get_statistics().actor_count == MANY
    first = store.get_actors(limit=2)
    assert names(first) == ["actor-0000000", "actor-0000001"]
    assert names(store.get_actors(limit=1, order_by="-actor_id")) == ["actor-0119999"]
    # Each is there, on both sides of the border between the server's pages.
    for number in (99_998, 99_999, 100_000, 100_001):
        assert names(store.get_actors(search=f"-{number:07d}")) == [f"actor-{number:07d}"]
    more = store.get_actors(limit=2, cursor=first.next_cursor)
    assert names(more) == ["actor-0000002", "actor-0000003"]


@pytest.mark.parametrize("many", [3, 2500])
def test_what_is_new_is_added_without_listing_all_again(nats_server, namespace, many):
    store = open_store(nats_server.url, namespace)
    store.setup()
    publish_many(nats_server.url, first_appends(store, range(10)))
    assert len(store.get_actors()) == 10
    publish_many(nats_server.url, first_appends(store, range(10, 10 + many)))
    before = nats_server.monitor("varz")["in_msgs"]
    assert names(store.get_actors(search=f"{9 + many:07d}")) == [f"actor-{9 + many:07d}"]
    # Not one by one.
    assert nats_server.monitor("varz")["in_msgs"] - before < 20
    assert names(store.get_actors(limit=1, order_by="-actor_id")) == [f"actor-{9 + many:07d}"]


def test_actors_that_are_gone_leave_the_list_and_may_come_back(any_nats_server, namespace):
    store = open_store(any_nats_server.url, namespace)
    for number in range(1, 6):
        store.save_event(Event(f"order-{number}", "placed"))
    assert len(store.get_actors()) == 5
    prune(store, "order-2", 1)
    prune(store, "order-3", 1)
    page = store.get_actors(limit=2)
    assert names(page) == ["order-1", "order-4"]
    assert names(store.get_actors(limit=2, cursor=page.next_cursor)) == ["order-5"]
    store.save_event(Event("order-3", "placed"))
    assert names(store.get_actors()) == ["order-1", "order-3", "order-4", "order-5"]


def test_an_actor_without_its_first_append_is_listed(any_nats_server, namespace):
    store = open_store(any_nats_server.url, namespace)
    for number in (1, 2, 1, 3):
        store.save_event(Event(f"order-{number}", "placed"))
    prune(store, "order-1", 1)
    assert names(store.get_actors()) == ["order-1", "order-2", "order-3"]


def test_a_new_actor_that_has_lost_its_first_append_joins_the_list(any_nats_server, namespace):
    store = open_store(any_nats_server.url, namespace)
    store.save_event(Event("order-1", "placed"))
    assert names(store.get_actors()) == ["order-1"]
    for _ in range(2):
        store.save_event(Event("order-2", "placed"))
    prune(store, "order-2", 1)
    assert names(store.get_actors()) == ["order-1", "order-2"]


def test_an_estimate_is_near_the_truth(nats_server, namespace):
    store = open_store(nats_server.url, namespace)
    store.setup()
    publish_many(nats_server.url, first_appends(store, range(6000)))
    statistics = store.get_statistics()
    assert statistics.estimated
    assert statistics.actor_count == 6000
    assert statistics.event_count == pytest.approx(6000, rel=0.1)
