"""The contract, against the database store: SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from django_eventstore import Event, Snapshot
from django_eventstore.backends.database import DatabaseEventStore
from django_eventstore.backends.database.tables import SNAPSHOTS
from django_eventstore.test.contract import AsyncEventStoreContract, EventStoreContract
from tests.servers.databases import child_environment
from tests.support.database import execute, tamper


class DatabaseStore:
    database: str

    @pytest.fixture(scope="class")
    @classmethod
    def kept_database(cls, django_db_setup, django_db_blocker):
        """Open the database for the whole class: each test has a namespace of its own, and
        emptying all tables hundreds of times would take most of the time.
        """
        with django_db_blocker.unblock():
            yield
            call_command("flush", database=cls.database, interactive=False, verbosity=0)

    @pytest.fixture
    def _django_db_helper(self, kept_database):
        """In the place of pytest-django's, which empties the database behind each test."""

    def make_store(self, namespace="", **options):
        return DatabaseEventStore(
            self.database, namespace=namespace, database=self.database, **options
        )

    @property
    def process_store(self):
        return f"tests.support.database.open_{self.database}"

    def process_environment(self):
        return child_environment()

    def inject_malformed(self, store, actor_id, raw):
        """Change a stored event behind the store's back, as the triggers let nobody else do."""
        saved = store.save_event(Event(actor_id, "malformed"))
        tamper(saved.position, self.database, data=raw.decode())
        return saved.version

    def inject_malformed_snapshot(self, store, actor_id, version, raw):
        store.save_snapshot(Snapshot(actor_id, version, None))
        execute(
            self.database,
            f"UPDATE {SNAPSHOTS} SET state = %s "
            "WHERE namespace = %s AND actor_id = %s AND version = %s",
            [raw.decode(), store.namespace, actor_id, version],
        )


@pytest.mark.django_db(databases=["default"], transaction=True)
class SQLite(DatabaseStore):
    database = "default"


@pytest.mark.django_db(databases=["postgres"], transaction=True)
class PostgreSQL(DatabaseStore):
    database = "postgres"


@pytest.mark.django_db(databases=["mariadb"], transaction=True)
class MariaDB(DatabaseStore):
    database = "mariadb"


class TestSQLite(SQLite, EventStoreContract):
    pass


class TestSQLiteAsync(SQLite, AsyncEventStoreContract):
    pass


class TestPostgreSQL(PostgreSQL, EventStoreContract):
    pass


class TestPostgreSQLAsync(PostgreSQL, AsyncEventStoreContract):
    pass


class TestMariaDB(MariaDB, EventStoreContract):
    pass


class TestMariaDBAsync(MariaDB, AsyncEventStoreContract):
    pass
