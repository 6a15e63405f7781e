"""given/when/then, the factories and the fixtures."""

from __future__ import annotations

import pytest

from django_eventstore import Event, InvalidEventError, event_store, event_stores
from django_eventstore.backends.memory import InMemoryEventStore
from django_eventstore.test import given
from django_eventstore.test.factories import EventFactory, SnapshotFactory
from django_eventstore.test.fixtures import in_memory_event_stores, saved_events

__all__ = ["in_memory_event_stores", "saved_events"]


class OrderError(Exception):
    pass


def apply(order, event):
    if event.event_type == "placed":
        return {"open": event.data["total"]}
    return {"open": order["open"] - event.data["amount"]}


def pay(amount):
    def decide(order):
        if amount > order.get("open", 0):
            raise OrderError("more than is open")
        return Event("order-1", "paid", {"amount": amount}, command_id="c-1")

    return decide


PLACED = Event("order-1", "placed", {"total": 10})
PAID = Event("order-1", "paid", {"amount": 4})


def order(*events):
    return given(events, apply=apply, initial={})


def test_what_was_decided():
    order(PLACED).when(pay(4)).then(PAID).then_state({"open": 6})
    order(PLACED, PAID).when(pay(4)).then([PAID])
    order(PLACED).when(lambda _: None).then()
    order(PLACED).when(lambda _: []).then([])


def test_what_was_refused():
    order(PLACED).when(pay(11)).then_raises(OrderError, "more than")
    order().when(pay(1)).then_raises(OrderError)
    order(PLACED).when(lambda _: Event("", "paid")).then_raises(InvalidEventError, "actor_id")


def test_without_a_fold_the_state_is_the_events():
    given([PLACED]).when(lambda events: [events[0].caused_by(PLACED)]).then(PLACED)
    assert given().state == []


def test_metadata_and_command_ids_count_where_they_are_expected():
    decided = order(PLACED).when(lambda _: PAID.with_metadata(user_id="7", trace_id="t"))
    decided.then(PAID.with_metadata(user_id="7"))
    with pytest.raises(AssertionError):
        decided.then(PAID.with_metadata(user_id="8"))
    with pytest.raises(AssertionError):
        order(PLACED).when(pay(4)).then(Event("order-1", "paid", {"amount": 4}, command_id="c-2"))


@pytest.mark.parametrize(
    "expected",
    [None, [], [PAID, PAID], Event("order-1", "paid", {"amount": 5}), Event("order-2", "paid")],
)
def test_other_events_than_expected_fail(expected):
    with pytest.raises(AssertionError):
        order(PLACED).when(pay(4)).then(expected)


def test_an_error_that_is_not_expected_comes_through():
    with pytest.raises(OrderError):
        order(PLACED).when(pay(11)).then(PAID)
    with pytest.raises(OrderError):
        order(PLACED).when(pay(11)).then_raises(KeyError)
    with pytest.raises(AssertionError, match="OrderError was not raised"):
        order(PLACED).when(pay(1)).then_raises(OrderError)
    with pytest.raises(AssertionError, match="is not in"):
        order(PLACED).when(pay(11)).then_raises(OrderError, "less than")


def test_what_has_happened_is_checked():
    with pytest.raises(InvalidEventError):
        given([Event("order-1", "")])


def test_deciding_does_not_change_the_state():
    scenario = order(PLACED)
    scenario.when(lambda state: state.clear())
    assert scenario.state == {"open": 10}


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
