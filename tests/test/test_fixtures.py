"""The factories and the fixtures."""

from __future__ import annotations

import pytest

from django_eventstore import Event, event_store, event_stores
from django_eventstore.backends.memory import InMemoryEventStore
from django_eventstore.test.factories import EventFactory, SnapshotFactory
from django_eventstore.test.fixtures import in_memory_event_stores, saved_events

__all__ = ["in_memory_event_stores", "saved_events"]


@pytest.mark.usefixtures("in_memory_event_stores")
def test_factories():
    built = EventFactory.build()
    assert event_store.count_events() == 0
    saved = EventFactory(event_type="placed", data={"n": 1})
    assert event_store.get_events(saved.actor_id) == [saved]
    assert built.actor_id != saved.actor_id
    store = InMemoryEventStore()
    events = EventFactory.create_batch(3, actor_id="order-1", store=store)
    assert store.get_events("order-1") == events
    snapshot = SnapshotFactory(actor_id="order-1", version=3, state={"n": 3}, store=store)
    assert store.get_latest_snapshot("order-1") == snapshot


def test_stores_in_memory(in_memory_event_stores):
    assert in_memory_event_stores is event_stores
    assert all(isinstance(event_stores[alias], InMemoryEventStore) for alias in event_stores)
    assert len(list(event_stores)) > 1


def test_saved_events(saved_events):
    store = InMemoryEventStore()
    saved = store.save_events([Event("order-1", "placed"), Event("order-1", "paid")])
    assert saved_events == saved
