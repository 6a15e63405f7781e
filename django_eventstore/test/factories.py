"""Factories of events and snapshots, for tests; need factory-boy (``pip install factory-boy``).

``EventFactory.build()`` makes an event, ``EventFactory()`` or ``.create()`` also saves it: in the
default store, or in ``store=...``. To make events of your own, subclass::

    class OrderPlacedFactory(EventFactory):
        event_type = "order placed"
        data = factory.Dict({"total": factory.Faker("pyint")})
"""

from __future__ import annotations

from typing import Any

try:
    import factory
except ImportError as error:
    raise ImportError(
        "django_eventstore.test.factories needs factory-boy: pip install factory-boy"
    ) from error

from ..conf import event_store
from ..events import Event, Snapshot


class EventFactory(factory.Factory):  # type: ignore[misc]
    """Makes events; each of an actor of its own unless ``actor_id`` is given."""

    class Meta:
        model = Event

    actor_id = factory.Sequence("actor-{}".format)
    event_type = "something happened"
    data = factory.Sequence(lambda number: {"number": number})

    @classmethod
    def _create(cls, model_class: type[Event], *args: Any, **fields: Any) -> Event:
        store = fields.pop("store", event_store)
        saved: Event = store.save_event(model_class(*args, **fields))
        return saved


class SnapshotFactory(factory.Factory):  # type: ignore[misc]
    """Makes snapshots."""

    class Meta:
        model = Snapshot

    actor_id = factory.Sequence("actor-{}".format)
    version = 1
    state = factory.LazyFunction(dict)

    @classmethod
    def _create(cls, model_class: type[Snapshot], *args: Any, **fields: Any) -> Snapshot:
        store = fields.pop("store", event_store)
        saved: Snapshot = store.save_snapshot(model_class(*args, **fields))
        return saved
