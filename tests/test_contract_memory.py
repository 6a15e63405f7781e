"""The contract, against the memory store."""

from __future__ import annotations

from django_eventstore.backends.memory import InMemoryEventStore
from django_eventstore.test.contract import AsyncEventStoreContract, EventStoreContract


class MemoryStore:
    shared_between_processes = False

    def make_store(self, namespace="", **options):
        return InMemoryEventStore(namespace=namespace, location="contract", **options)


class TestMemoryStore(MemoryStore, EventStoreContract):
    pass


class TestMemoryStoreAsync(MemoryStore, AsyncEventStoreContract):
    pass
