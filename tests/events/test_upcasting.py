"""Old events are read in the form that the code of today expects; what is stored stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured

from django_eventstore import Event, InvalidEventError
from django_eventstore.backends.memory import InMemoryEventStore
from django_eventstore.events import ReplayError
from django_eventstore.events.upcasting import register_upcaster, unregister_upcaster


@pytest.fixture
def upcaster():
    """Register upcasters that are forgotten after the test."""
    registered = []

    def register(event_type, from_version, func):
        register_upcaster(event_type, from_version, func)
        registered.append((event_type, from_version))

    yield register
    for key in registered:
        unregister_upcaster(*key)


@pytest.fixture
def store():
    store = InMemoryEventStore()
    store.save_event(Event("order-1", "Placed", {"price": 5}))
    store.save_event(Event("order-1", "Placed", {"cents": 700}, metadata={"schema_version": "2"}))
    store.save_event(
        Event(
            "order-1", "Bought", {"cents": 9, "currency": "USD"}, metadata={"schema_version": "3"}
        )
    )
    store.save_event(Event("order-1", "Other", {"price": 5}))
    return store


def in_cents(event):
    return replace(event, data={"cents": event.data["price"] * 100})


def with_currency(event):
    return replace(event, data={**event.data, "currency": "EUR"}, event_type="Bought")


EXPECTED = [
    ("Bought", {"cents": 500, "currency": "EUR"}, "3"),
    ("Bought", {"cents": 700, "currency": "EUR"}, "3"),
    ("Bought", {"cents": 9, "currency": "USD"}, "3"),
    ("Other", {"price": 5}, None),
]


def forms(events):
    return [(each.event_type, each.data, each.metadata.get("schema_version")) for each in events]


def test_the_chain_runs_to_its_end_on_every_read(store, upcaster):
    before = store.get_events("order-1")
    upcaster("Placed", 1, in_cents)
    upcaster("Placed", 2, with_currency)

    async def read(events):
        return [event async for event in events]

    assert forms(store.get_events("order-1")) == EXPECTED
    assert forms(store.read_all()) == EXPECTED
    assert forms(store.get_events("order-1", reverse=True)) == EXPECTED[::-1]
    assert forms(async_to_sync(store.aget_events)("order-1")) == EXPECTED
    assert forms(async_to_sync(read)(store.aread_all())) == EXPECTED
    assert forms([store.get_event(1), store.get_event_by_id(before[1].id)]) == EXPECTED[:2]
    assert forms([async_to_sync(store.aget_event)(1)]) == EXPECTED[:1]
    assert forms([async_to_sync(store.aget_event_by_id)(before[0].id)]) == EXPECTED[:1]
    # Who the event is, and where it stands, does not change.
    assert [(each.id, each.version, each.position) for each in store.read_all()] == [
        (each.id, each.version, each.position) for each in before
    ]


def test_state_is_folded_from_the_newest_form(store, upcaster):
    upcaster("Placed", 1, in_cents)

    state = store.replay("order-1", lambda total, event: total + event.data.get("cents", 0), 0)

    assert state.state == 500 + 700 + 9


def test_without_upcasters_events_are_as_they_are_stored(store, upcaster):
    upcaster("Placed", 1, in_cents)
    unregister_upcaster("Placed", 1)

    assert store.get_events("order-1")[0].data == {"price": 5}


def failing(event):
    raise LookupError("no rate for this day")


@pytest.mark.parametrize(
    ("func", "expected"),
    [
        (failing, "no rate for this day"),
        (lambda event: event.data, "an upcaster must return an Event"),
        (lambda event: replace(event, id="another"), "id: an upcaster must not change it"),
        (lambda event: replace(event, version=9), "version: an upcaster must not change it"),
        (lambda event: replace(event, data={"at": object()}), "does not come back equal from JSON"),
        (lambda event: replace(event, metadata={"n": 1}), "must be text"),
    ],
)
def test_an_upcaster_that_fails_makes_the_event_malformed(store, upcaster, func, expected):
    upcaster("Placed", 1, func)

    result = store.get_events_with_errors("order-1")

    assert forms(result.events) == forms(store.read_all())
    assert [event.version for event in result.events] == [2, 3, 4]
    [error] = result.errors
    assert isinstance(error, ReplayError)
    assert expected in str(error)
    assert "in the upcaster of 'Placed' from version 1" in error.error.__notes__
    assert error.position == 1
    assert b'"price":5' in error.raw
    assert store.get_event(1) is None


@pytest.mark.parametrize("value", ["0", "-1", "x", "", "1.0", "9" * 20])
def test_a_schema_version_that_is_none_makes_the_event_malformed(store, upcaster, value):
    upcaster("Placed", 1, in_cents)
    store.save_event(Event("order-2", "Placed", {}, metadata={"schema_version": value}))

    [error] = store.get_events_with_errors("order-2").errors

    assert "schema_version" in str(error)


def test_a_version_has_one_upcaster(upcaster):
    upcaster("Placed", 1, in_cents)
    upcaster("Placed", 1, in_cents)

    with pytest.raises(ImproperlyConfigured, match="already"):
        register_upcaster("Placed", 1, with_currency)
    with pytest.raises(InvalidEventError, match="from_version"):
        register_upcaster("Placed", 0, with_currency)
