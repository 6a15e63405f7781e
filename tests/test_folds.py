"""Which fold makes the state of which actors."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_eventstore import Event
from django_eventstore.backends.memory import InMemoryEventStore
from django_eventstore.folds import fold_for, register_fold, unregister_fold
from django_eventstore.maintenance.snapshotting import snapshot_actors


def count(state, event):
    """Count the events, in place."""
    state["count"] += 1
    return state


def forget(state, event):
    """Make nothing of anything."""


@pytest.fixture(autouse=True)
def folds():
    register_fold("fold-", count, {"count": 0})
    yield
    unregister_fold("fold-")
    unregister_fold("fold-other-")


def test_a_fold_is_how_it_is_applied_what_it_starts_at_and_the_form_of_the_state():
    register_fold("fold-other-", apply=forget, initial=None, schema_version=3)

    fold = fold_for("fold-other-1")

    assert (fold.apply, fold.initial, fold.schema_version) == (forget, None, 3)


def test_the_longest_prefix_wins():
    register_fold("fold-other-", forget, None)

    assert fold_for("fold-1").apply is count
    assert fold_for("fold-other-1").apply is forget
    assert fold_for("another-1") is None


def test_a_prefix_has_one_fold():
    register_fold("fold-", count, {"count": 0})  # the same again, as in a second ready()

    with pytest.raises(ImproperlyConfigured, match="cannot be theirs too"):
        register_fold("fold-", forget, None)

    assert fold_for("fold-1").apply is count


def test_an_initial_state_that_is_changed_in_place_stays_as_it_is():
    store = InMemoryEventStore()
    store.save_events([Event(actor, "T") for actor in ("fold-1", "fold-2") for _ in range(3)])

    snapshot_actors(store, events_since=1)

    assert fold_for("fold-1").initial == {"count": 0}
    assert [store.get_latest_snapshot(each).state for each in ("fold-1", "fold-2")] == [
        {"count": 3},
        {"count": 3},
    ]
