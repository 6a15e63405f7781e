"""The largest events and appends."""

from __future__ import annotations

import random
import string

import pytest

from django_eventstore import Event, EventTooLargeError, Snapshot
from tests.servers import NatsServer
from tests.support.jetstream import open_store

pytestmark = pytest.mark.needs("nats-server")


def test_the_largest_events_and_appends_fit(nats_server):
    store = open_store(nats_server.url, "large")
    largest = Event("order-1", "placed", {"text": "x" * (1_000_000 - 13)})
    assert store.save_event(largest).data == largest.data
    assert store.get_events("order-1")[0].data == largest.data
    many = [Event("order-2", "counted", {"n": n}) for n in range(5000)]
    store.save_events(many)
    assert [event.data for event in store.get_events("order-2")] == [e.data for e in many]
    with NatsServer(config="max_payload: 20000") as small:
        store = open_store(small.url)
        with pytest.raises(EventTooLargeError) as caught:
            store.save_event(Event("order-1", "placed", {"text": random_text(40_000)}))
        assert caught.value.size > caught.value.limit > 10_000
        assert store.get_latest_version("order-1") == 0
        with pytest.raises(EventTooLargeError):
            store.save_snapshot(Snapshot("order-1", 1, random_text(40_000)))


def random_text(length):
    return "".join(random.choices(string.printable.strip(), k=length))
