"""An event as a test to copy."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from django_eventstore import Event
from django_eventstore.folds import register_fold, unregister_fold
from tests.admin.conftest import START, fill

pytestmark = pytest.mark.django_db


def test_an_event_as_a_test_is_python_that_runs(admin, store, pages):
    saved = fill(store)
    code = admin.get(pages("event", saved["order-1 4"].position)).context["test"]
    names: dict = {}
    exec(compile(code, "copied", "exec"), names)
    names["decide"] = lambda state: [Event("order-1", "OrderReopened", {})]
    names["test_order_reopened"]()
    names["decide"] = lambda state: []
    with pytest.raises(AssertionError):
        names["test_order_reopened"]()


@pytest.fixture
def copied_test(admin, pages):
    """Return a function that runs the test copied from an event's page, and returns the state
    that the test comes to before its command.
    """

    def run(event: Event):
        code = admin.get(pages("event", event.position)).context["test"]
        assert max(map(len, code.splitlines())) <= 100
        names: dict = {}
        states = []
        exec(compile(code, "copied", "exec"), names)

        def decide(state):
            states.append(state)
            return [event]

        names["decide"] = decide
        [test] = [value for name, value in names.items() if name.startswith("test_")]
        test()
        return states[0]

    return run


def test_the_test_of_a_long_history_starts_at_the_right_state(store, copied_test):
    lines = [
        Event("order-3", "LineAdded", {"sku": f"A-{number}", "note": "so long a text " * 4})
        for number in range(40)
    ]
    *_, last = store.save_events([Event("order-3", "OrderPlaced", {"customer": "Ada"}), *lines])
    state = copied_test(last)
    assert [line["sku"] for line in state["lines"]] == [f"A-{number}" for number in range(39)]
    assert state["customer"] == "Ada"


def test_the_copied_test_starts_at_the_state_also_where_it_is_masked(store, copied_test, settings):
    settings.EVENT_STORE_ADMIN = {"redact": {"OrderPlaced": ["customer"]}}
    lines = [Event("order-3", "LineAdded", {"sku": f"A-{number}"}) for number in range(40)]
    *_, last = store.save_events([Event("order-3", "OrderPlaced", {"customer": "Ada"}), *lines])
    state = copied_test(last)
    assert [line["sku"] for line in state["lines"]] == [f"A-{number}" for number in range(39)]
    assert state["customer"] == "•••"


def by_metadata(state: list, event: Event) -> list:
    """Fold by what is not in the data, to a state that no literal can hold."""
    return [*state, (event.user_id, event.timestamp)]


def test_a_fold_of_metadata_gets_them_in_the_copied_test(store, copied_test):
    register_fold("visit-", by_metadata, initial=[])
    events = [
        Event("visit-1", "Seen", metadata={"user_id": f"user-{number}"}, timestamp=START)
        for number in range(20)
    ]
    *_, last = store.save_events(events)
    try:
        assert copied_test(last) == [(f"user-{number}", START) for number in range(19)]
    finally:
        unregister_fold("visit-")


@dataclass
class Basket:
    """A state that no literal can hold."""

    lines: list = field(default_factory=list)


def test_the_copied_test_of_a_fold_that_code_cannot_spell_asks_for_it(store, copied_test):
    def put(state: Basket, event: Event) -> Basket:
        return Basket([*state.lines, event.data["n"]])

    register_fold("basket-", put, initial=Basket())
    try:
        *_, last = store.save_events([Event("basket-1", "Put", {"n": n}) for n in range(4)])
        assert copied_test(last) == Basket([0, 1, 2])
    finally:
        unregister_fold("basket-")
