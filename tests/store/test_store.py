"""The store beyond the contract: reports, closing, backends of one's own."""

from __future__ import annotations

import asyncio
import logging
import pickle
from contextlib import aclosing

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_eventstore import Event, EventStore, UnsupportedOperation, event_stores
from django_eventstore.backends.base import Backend
from django_eventstore.backends.memory import InMemoryEventStore, MemoryBackend
from django_eventstore.signals import event_saved


def test_a_backend_has_to_fill_in_the_primitives():
    class Unfinished(Backend):
        pass

    class UnfinishedEventStore(EventStore):
        backend_class = Unfinished

    with pytest.raises(TypeError, match="append"):
        UnfinishedEventStore()


def test_a_store_has_to_name_its_backend():
    class Homeless(EventStore):
        pass

    with pytest.raises(ImproperlyConfigured, match="Homeless has no backend_class"):
        Homeless()


def test_a_backend_that_cannot_append_for_several_actors():
    class SingleBackend(MemoryBackend):
        supports_multi_actor_append = False

    class Single(InMemoryEventStore):
        backend_class = SingleBackend

    store = Single()
    with pytest.raises(UnsupportedOperation, match="several actors"):
        store.save_events([Event("order-1", "placed"), Event("order-2", "placed")])
    assert store.count_events() == 0


def test_a_store_can_be_pickled():
    store = event_stores["default"].with_namespace("acme")
    copied = pickle.loads(pickle.dumps(store))
    assert (copied.alias, copied.namespace, copied.place) == ("default", "acme", store.place)


def test_a_receiver_that_fails_is_logged(caplog):
    store = InMemoryEventStore()

    def fail(**kwargs):
        raise RuntimeError("no luck")

    event_saved.connect(fail)
    try:
        with caplog.at_level(logging.ERROR, "django_eventstore"):
            store.save_event(Event("order-1", "placed"))
    finally:
        event_saved.disconnect(fail)
    (record,) = [each for each in caplog.records if each.name == "django_eventstore"]
    assert "no luck" in str(record.exc_info[1])


def test_a_reader_that_stops_closes_the_backends_iterator():
    closed = []

    class WatchedBackend(MemoryBackend):
        def read_actor(self, *arguments):
            try:
                yield from super().read_actor(*arguments)
            finally:
                closed.append("actor")

        def read_store(self, *arguments):
            try:
                yield from super().read_store(*arguments)
            finally:
                closed.append("store")

    class Watched(InMemoryEventStore):
        backend_class = WatchedBackend

    store = Watched()
    # More than are fetched from a synchronous backend at a time.
    store.save_events([Event("order-1", "placed") for _ in range(1_000)])

    async def main():
        for items, name in (
            (store.aiter_events("order-1"), "actor"),
            (store.aread_all(), "store"),
            (store.aread_all_with_errors(), "store"),
        ):
            async with aclosing(items):
                async for _ in items:
                    break
            assert closed == [name]
            closed.clear()

    asyncio.run(main())


def test_a_store_shows_where_it_is_and_not_what_it_holds():
    store = InMemoryEventStore("orders")
    assert repr(store) == "<InMemoryEventStore 'orders'>"
    assert store.describe()["location"] == "orders"


def test_a_closed_store_opens_again():
    store = InMemoryEventStore()
    store.save_event(Event("order-1", "placed"))
    store.close()
    assert store.count_events() == 1
