"""The models and their migrations agree, on each Django that the tests run with."""

import pytest
from django.core.management import call_command
from django.db import OperationalError, connections, migrations, models
from django.db.migrations.loader import MigrationLoader

from django_eventstore import Event
from django_eventstore.backends.database import DatabaseEventStore
from django_eventstore.migrations import _triggers
from django_eventstore.models import EventRecord
from tests.support.database import ALL, on, refused, store_on


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


@pytest.fixture
def scratch(tmp_path, monkeypatch, django_db_blocker):
    """An SQLite database of its own, with all migrations."""
    entry = {**connections.settings["default"], "NAME": tmp_path / "scratch.sqlite3"}
    monkeypatch.setitem(connections.settings, "scratch", entry)
    with django_db_blocker.unblock():
        call_command("migrate", "django_eventstore", database="scratch", verbosity=0)
        yield connections["scratch"]
        connections["scratch"].close()
    del connections["scratch"]


def check_sqlite(database):
    """Make sure that the database has what no model says."""
    with database.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE name LIKE 'eventstore_%'")
        assert {name for (name,) in cursor} >= {
            "eventstore_move_actor",
            "eventstore_refuse_update",
            "eventstore_refuse_delete",
            "eventstore_event_correlation",
        }
        with pytest.raises(OperationalError, match="no such column: rowid"):
            cursor.execute("SELECT rowid FROM django_eventstore_actorrecord")


def test_all_migrations_leave_what_no_model_says(scratch):
    check_sqlite(scratch)


def test_a_migration_can_alter_a_table_and_keep_all_that(scratch):
    """As migrations/_triggers.py has it: on SQLite the table is made anew."""
    store = DatabaseEventStore(database="scratch")
    saved = [store.save_event(Event("a", "happened")) for _ in range(2)]
    before = MigrationLoader(scratch).project_state()
    for operation in (
        migrations.RunPython(_triggers.remove, _triggers.install),
        migrations.AlterField("actorrecord", "version", models.IntegerField()),
        migrations.AlterField("eventrecord", "version", models.IntegerField()),
        migrations.RunPython(_triggers.install, _triggers.remove),
    ):
        after = before.clone()
        operation.state_forwards("django_eventstore", after)
        with scratch.schema_editor() as editor:
            operation.database_forwards("django_eventstore", editor, before, after)
        before = after
    check_sqlite(scratch)
    assert list(store.read_all()) == saved
    assert actors(store) == [("a", 2, 2)]
    store.save_event(Event("a", "happened"), expected_version=2)
    assert actors(store) == [("a", 3, 3)]


def actors(store):
    return [(each.actor_id, each.latest_version, each.event_count) for each in store.get_actors()]


EVENTS = EventRecord._meta.db_table


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
