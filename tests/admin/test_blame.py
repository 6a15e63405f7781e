"""Who set a field, and all its changes."""

from __future__ import annotations

import json

import pytest

from django_eventstore import Event, event_stores
from django_eventstore.admin import folding, scanning
from django_eventstore.admin.blame import blame_to
from django_eventstore.folds import register_fold, unregister_fold
from tests.admin.conftest import fill

pytestmark = pytest.mark.django_db


def test_the_blame_of_a_long_history_goes_on_from_what_was_found(store):
    fold = folding.fold_of("long")
    store.save_events([Event("long", "T", {"n": number, "a": 1}) for number in range(1500)])
    deadline = scanning.Deadline(60)
    first = blame_to(store, "long", fold, 1500, deadline)
    store.save_event(Event("long", "T", {"n": 7}))
    reads = []
    read = store.iter_events_with_errors
    store.iter_events_with_errors = lambda *given, **bounds: (
        reads.append(given) or read(*given, **bounds)
    )
    second = blame_to(store, "long", fold, 1501, deadline)
    assert reads == [("long", 1501)]
    assert second.values == {("n",): 7, ("a",): 1}
    assert (second.last["n",].version, second.first[("n",), "7"].version) == (1501, 8)
    # What is shown on the page before did not change under it, and an earlier version is found.
    assert first.values == {("n",): 1499, ("a",): 1}
    assert blame_to(store, "long", fold, 1200, deadline).last["n",].version == 1200
    # Another history under the same name is read from its start.
    other = event_stores.create_connection("default").with_namespace("")
    other.backend._memory = type(other.backend._memory)()
    other.save_events([Event("long", "T", {"m": number}) for number in range(1300)])
    assert blame_to(other, "long", fold, 1300, deadline).values == {("m",): 1299}


def test_blame_names_the_last_and_the_first(admin, store, pages):
    fill(store)
    rows = {row.where: row for row in admin.get(pages("blame", "order-1")).context["rows"]}
    assert (rows["status"].last.version, rows["status"].first.version) == (4, 1)
    assert rows["lines[0].sku"].last.version == 2
    assert rows["status"].last.user_id == "mia"
    changes = admin.get(pages("field", "order-1") + "?path=status").context["changes"]
    assert [(change.event.version, change.after) for change in changes] == [
        (4, "placed"),
        (3, "paid"),
        (1, "placed"),
    ]


def test_blame_shows_no_half_change_of_a_fold_that_fails(admin, store, pages):
    def apply(state: dict, event: Event) -> dict:
        state["n"] = event.data["n"]
        return {**state, "halves": state["n"] // event.data["by"]}

    register_fold("half-", apply, initial={})
    try:
        store.save_event(Event("half-1", "T", {"n": 4, "by": 2}))
        store.save_event(Event("half-1", "T", {"n": 9, "by": 0}))
        context = admin.get(pages("blame", "half-1")).context
    finally:
        unregister_fold("half-")
    assert isinstance(context["blame"].failure, ZeroDivisionError)
    assert {row.where: row.value for row in context["rows"]} == {"n": 4, "halves": 2}


def test_all_changes_of_a_field_are_found_however_little_time_a_page_has(
    admin, store, pages, settings
):
    settings.EVENT_STORE_ADMIN = {"time_limit": 1e-9}
    store.save_events([Event("a", "T", {"n": number // 2}) for number in range(10)])
    address = pages("field", "a") + "?path=n"
    found = []
    for _ in range(40):
        context = admin.get(address).context
        found += [(change.event.version, change.after) for change in reversed(context["changes"])]
        if context["next_url"] is None:
            break
        address = context["next_url"]
    assert found == [(1, 0), (3, 1), (5, 2), (7, 3), (9, 4)]


def test_more_changes_of_a_field_than_a_page_shows_are_on_further_pages(admin, store, pages):
    store.save_events([Event("a", "T", {"n": number}) for number in range(450)])
    address = pages("field", "a") + "?path=n"
    found = []
    while address:
        context = admin.get(address).context
        found += [change.after for change in context["changes"]]
        address = context["older_url"]
    assert found == list(reversed(range(450)))


def test_values_that_are_equal_in_python_are_different_json(admin, store, pages):
    store.save_events([Event("a", "T", {"n": value}) for value in (1, True, 1.0)])
    changes = admin.get(pages("field", "a") + "?path=n").context["changes"]
    assert [json.dumps(change.after) for change in changes] == ["1.0", "true", "1"]
