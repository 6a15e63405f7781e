"""How many events and actors there are."""

from __future__ import annotations

import pytest

from django_eventstore import Event
from tests.backends.jetstream.listing.actors import consumers, first_appends
from tests.support.jetstream import next_subject, open_store, publish, publish_many


def test_an_estimate_is_near_the_truth(nats_server, namespace):
    store = open_store(nats_server.url, namespace)
    store.setup()
    publish_many(nats_server.url, first_appends(store, range(6000)))
    statistics = store.get_statistics()
    assert statistics.estimated
    assert statistics.actor_count == 6000
    assert statistics.event_count == pytest.approx(6000, rel=0.1)


def test_all_events_are_counted_whoever_wrote_them(any_nats_server, namespace):
    url = any_nats_server.url
    store = open_store(url, namespace)
    store.save_events([Event("order-1", "placed") for _ in range(30)])
    publish_many(url, first_appends(store, range(6000)))  # more than a page
    publish(url, next_subject(store, "order-1"), b"{")
    store.save_events([Event("order-2", "placed") for _ in range(5)])
    for number in range(5001):
        store.save_event(Event(f"own-{number % 50}", "placed"))
    publish(url, f"{store.stream_name}.events.order-1.99", b"{}")
    assert store.count_events() == 30 + 6000 + 1 + 5 + 5001 + 1
    assert consumers(store) == []
