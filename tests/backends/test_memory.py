"""The contract, against the memory store."""

from __future__ import annotations

import pytest

from django_eventstore import Event, Snapshot
from django_eventstore.test.contract import AsyncEventStoreContract, EventStoreContract
from tests.support.memory import CorruptibleMemoryStore, corrupted


class MemoryStore:
    shared_between_processes = False
    store_class = CorruptibleMemoryStore

    @pytest.fixture(autouse=True)
    def _forget(self):
        yield
        corrupted.clear()

    def make_store(self, namespace="", **options):
        return self.store_class(namespace=namespace, location="contract", **options)

    def inject_malformed(self, store, actor_id, raw):
        event = Event(actor_id, "malformed")
        corrupted[event.id] = raw
        return store.save_event(event).version

    def inject_malformed_snapshot(self, store, actor_id, version, raw):
        corrupted[store.namespace, actor_id, version] = raw
        store.save_snapshot(Snapshot(actor_id, version, None))


class TestMemoryStore(MemoryStore, EventStoreContract):
    pass


class TestMemoryStoreAsync(MemoryStore, AsyncEventStoreContract):
    pass
