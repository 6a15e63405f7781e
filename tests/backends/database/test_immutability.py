"""The database itself refuses to change or delete events; flush has its path."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connections

from django_eventstore import Event, UnsupportedOperation
from django_eventstore.models import ActorRecord, EventRecord, SnapshotRecord
from tests.support.database import ALL, on, refused, store_on

EVENTS = EventRecord._meta.db_table


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
def test_flush_empties_the_store(alias):
    store = store_on(alias)
    store.save_event(Event("a", "happened"))
    call_command("flush", database=alias, interactive=False, verbosity=0, stdout=StringIO())
    assert store.count_events() == 0
    assert store.get_latest_version("a") == 0
    assert store.save_event(Event("a", "happened")).version == 1
    refused(alias, f"DELETE FROM {EVENTS}")
