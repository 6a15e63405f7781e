"""The database itself refuses to change or delete events; retention and flush have their path."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connections, transaction

from django_eventstore import Event, UnsupportedOperation
from django_eventstore.models import ActorRecord, EventRecord, SnapshotRecord
from tests.support.database import ALL, execute, on, open_transaction, store_on

EVENTS = EventRecord._meta.db_table


def refused(alias, sql):
    with (
        pytest.raises(IntegrityError, match=r"django-eventstore|prune_events"),
        transaction.atomic(alias),
    ):
        execute(alias, sql)


@on(*ALL)
def test_events_are_never_changed_or_deleted(alias):
    store = store_on(alias)
    saved = store.save_events([Event("a", "happened", {"n": 1}), Event("b", "happened")])
    refused(alias, f"UPDATE {EVENTS} SET data = '{{}}'")
    refused(alias, f"UPDATE {EVENTS} SET version = 9 WHERE actor_id = 'a'")
    refused(alias, f"DELETE FROM {EVENTS}")
    refused(alias, f"DELETE FROM {EVENTS} WHERE actor_id = 'b'")
    if connections[alias].vendor == "postgresql":
        refused(alias, f"TRUNCATE {EVENTS}")
    assert list(store.read_all()) == saved


@on(*ALL)
def test_models_refuse_to_write(alias):
    store_on(alias).save_event(Event("a", "happened"))
    for model in (EventRecord, ActorRecord, SnapshotRecord):
        rows = model.objects.using(alias)
        for write in (
            rows.delete,
            rows.create,
            lambda rows=rows: rows.update(version=2),
            lambda rows=rows, model=model: rows.bulk_create([model()]),
            lambda model=model: model().save(using=alias),
            lambda model=model: model().delete(using=alias),
        ):
            with pytest.raises(UnsupportedOperation, match="event store alone"):
                write()


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
    with pytest.raises(ZeroDivisionError), store.backend.vendor.retention():
        1 / 0  # noqa: B018
    refused(alias, f"DELETE FROM {EVENTS}")


@on("postgres", "mariadb", transactions=True)
def test_the_path_is_open_to_one_connection_alone(alias):
    store = store_on(alias)
    store.save_event(Event("a", "happened"))

    def delete():
        refused(alias, f"DELETE FROM {EVENTS}")

    with store.backend.vendor.retention(), open_transaction(alias, delete):
        pass
    assert store.count_events() == 1


@on(*ALL, transactions=True)
def test_flush_empties_the_store(alias):
    store = store_on(alias)
    store.save_event(Event("a", "happened"))
    call_command("flush", database=alias, interactive=False, verbosity=0, stdout=StringIO())
    assert store.count_events() == 0
    assert store.get_latest_version("a") == 0
    assert store.save_event(Event("a", "happened")).version == 1
    refused(alias, f"DELETE FROM {EVENTS}")


@on(*ALL, transactions=True)
def test_the_migration_goes_back_and_forth(alias):
    store_on(alias).save_event(Event("a", "happened"))
    with connections[alias].cursor() as cursor:
        before = connections[alias].introspection.table_names(cursor)
    call_command("migrate", "django_eventstore", "zero", database=alias, verbosity=0)
    with connections[alias].cursor() as cursor:
        left = connections[alias].introspection.table_names(cursor)
    assert [name for name in left if name.startswith("django_eventstore")] == []
    call_command("migrate", database=alias, verbosity=0)
    with connections[alias].cursor() as cursor:
        assert connections[alias].introspection.table_names(cursor) == before
    store = store_on(alias)
    saved = store.save_event(Event("a", "happened"))
    assert list(store.read_all()) == [saved]
    refused(alias, f"DELETE FROM {EVENTS}")
