"""Old events are removed, by a path that is open to nobody else."""

from __future__ import annotations

import pytest

from django_eventstore import Event
from django_eventstore.models import EventRecord
from tests.support.database import ALL, on, open_transaction, refused, store_on

EVENTS = EventRecord._meta.db_table


@on(*ALL, transactions=True)
def test_pruning_removes_old_events_and_never_the_newest(alias):
    store = store_on(alias)
    saved = store.save_events([Event("a", "happened", {"n": n}) for n in range(5)])
    other = store.save_event(Event("b", "happened"))
    assert store.backend.prune("", "a", 3) == 3
    assert store.get_events("a") == saved[3:]
    assert store.backend.prune("", "a", 99) == 1
    assert store.backend.prune("", "a", 99) == 0
    assert store.backend.prune("", "unknown", 99) == 0
    assert store.get_events("a") == saved[4:]
    assert list(store.read_all()) == [saved[4], other]
    actor, _ = store.get_actors()
    assert (actor.latest_version, actor.event_count) == (5, 1)
    assert actor.first_timestamp == saved[4].timestamp
    assert store.save_event(Event("a", "happened")).version == 6
    # The path is closed again.
    refused(alias, f"DELETE FROM {EVENTS}")


@on(*ALL, transactions=True)
def test_pruning_that_fails_closes_the_path(alias):
    store = store_on(alias)
    store.save_events([Event("a", "happened"), Event("b", "happened")])
    with pytest.raises(ZeroDivisionError), store.backend.vendor.deletion_allowed():
        1 / 0  # noqa: B018
    refused(alias, f"DELETE FROM {EVENTS}")


@on("postgres", "mariadb", transactions=True)
def test_the_path_is_open_to_one_connection_alone(alias):
    store = store_on(alias)
    store.save_event(Event("a", "happened"))

    def delete():
        refused(alias, f"DELETE FROM {EVENTS}")

    with store.backend.vendor.deletion_allowed(), open_transaction(alias, delete):
        pass
    assert store.count_events() == 1
