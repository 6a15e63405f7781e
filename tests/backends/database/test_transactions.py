"""Events commit and roll back with the caller's rows, and a refused save spoils nothing."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.db import connections, transaction

from django_eventstore import DuplicateEventError, Event, Snapshot, VersionConflictError
from django_eventstore.signals import event_saved
from tests.support.database import ALL, SERVERS, on, open_transaction, rolled_back, store_on

pytestmark = pytest.mark.usefixtures("own_namespace")


@on(*ALL, transactions=True)
def test_events_commit_with_the_callers_rows(alias):
    store = store_on(alias)
    with transaction.atomic(alias):
        Group.objects.using(alias).create(name="a")
        saved = store.save_event(Event("a", "happened"))
        batch = store.save_events([Event("a", "happened"), Event("b", "happened")])
    assert store.get_events("a") == [saved, batch[0]]
    assert Group.objects.using(alias).count() == 1


@on(*ALL, transactions=True)
def test_events_roll_back_with_the_callers_rows(alias):
    store = store_on(alias)
    first = store.save_event(Event("a", "happened"))
    with rolled_back(alias):
        Group.objects.using(alias).create(name="a")
        store.save_event(Event("a", "happened"))
        store.save_events([Event("b", "happened"), Event("c", "happened")])
        store.save_snapshot(Snapshot("a", 1, {}))
        assert store.get_latest_version("a") == 2
    assert store.get_events("a") == [first]
    assert store.get_latest_version("a") == 1
    assert [actor.actor_id for actor in store.get_actors()] == ["a"]
    assert store.get_latest_snapshot("a") is None
    assert store.save_event(Event("a", "happened")).version == 2


@on(*ALL, transactions=True)
def test_a_refused_save_leaves_the_transaction_usable(alias):
    store = store_on(alias)
    stored = store.save_event(Event("a", "happened"))
    batch = [Event("b", "happened"), Event("c", "happened")]
    with transaction.atomic(alias):
        Group.objects.using(alias).create(name="a")
        with pytest.raises(VersionConflictError):
            store.save_event(Event("a", "happened"), expected_version=7)
        with pytest.raises(VersionConflictError):
            store.save_events([*batch, Event("a", "happened", version=1)])
        with pytest.raises(DuplicateEventError):
            store.save_event(Event("b", "happened", id=stored.id))
        with pytest.raises(DuplicateEventError):
            store.save_events([*batch, Event("b", "happened", id=stored.id)])
        assert store.save_event(stored) == stored
        last = store.save_event(Event("a", "happened"))
    assert store.get_events("a") == [stored, last]
    assert store.count_events() == 2
    assert [actor.actor_id for actor in store.get_actors()] == ["a"]
    assert Group.objects.using(alias).count() == 1


@on(*ALL, transactions=True)
def test_a_savepoint_that_rolls_back_takes_its_events_along(alias):
    store = store_on(alias)
    with transaction.atomic(alias):
        kept = [store.save_event(Event("a", "happened"))]
        with rolled_back(alias):
            store.save_event(Event("a", "happened"))
        kept.append(store.save_event(Event("a", "happened")))
    assert [event.version for event in kept] == [1, 2]
    assert store.get_events("a") == kept
    assert list(store.read_all()) == kept


@on(*SERVERS, transactions=True)
def test_a_transaction_is_announced_again_after_its_first_savepoint_rolled_back(alias, impatient):
    store = store_on(alias)

    def slow():
        inside = store_on(alias)
        with rolled_back(alias):
            inside.save_event(Event("a", "undone"))
        return inside.save_event(Event("a", "happened"))

    with open_transaction(alias, slow) as late:
        fast = store.save_event(Event("b", "happened"))
        assert list(store.read_all()) == []
    assert list(store.read_all()) == [late, fast]


@on(*ALL, transactions=True)
def test_the_signal_is_sent_after_the_commit(alias):
    store = store_on(alias)
    seen = []

    def receive(event, **kwargs):
        seen.append((event, connections[alias].in_atomic_block))

    event_saved.connect(receive)
    try:
        with rolled_back(alias):
            store.save_event(Event("a", "undone"))
        with transaction.atomic(alias):
            saved = store.save_event(Event("a", "happened"))
            assert seen == []
        assert seen == [(saved, False)]
    finally:
        event_saved.disconnect(receive)


@on(*ALL)
def test_it_works_inside_a_test_case(alias):
    store = store_on(alias)
    saved = store.save_events([Event("a", "happened") for _ in range(3)])
    with pytest.raises(VersionConflictError):
        store.save_event(Event("a", "happened"), expected_version=1)
    assert store.get_events("a") == saved
    assert list(store.read_all()) == saved
