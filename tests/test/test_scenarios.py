"""given/when/then."""

from __future__ import annotations

import pytest

from django_eventstore import Event, InvalidEventError
from django_eventstore.test import given


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
