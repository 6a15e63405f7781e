"""Django, set up for the benchmarks: throw-away servers, a store on each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import django
from django.conf import settings
from django.core.management import call_command

from tests.servers import PostgresServer

PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"


@contextmanager
def started_databases(*, durable: bool) -> Iterator[tuple[Path, PostgresServer]]:
    """Start PostgreSQL, make an SQLite file, migrate both; yield the file and the server.

    Args:
        durable: whether PostgreSQL syncs each commit to disk. Without it the cost of the code
            shows, which a disk would hide.
    """
    with (
        TemporaryDirectory(prefix="es-bench-") as directory,
        PostgresServer(durable=durable, settings={"shared_buffers": "512MB"}) as server,
    ):
        file = Path(directory) / "bench.sqlite3"
        configured = {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(file),
                "OPTIONS": {
                    "transaction_mode": "IMMEDIATE",
                    "timeout": 20,
                    "init_command": PRAGMAS,
                },
            },
            # Statements are prepared, as psycopg does by itself and the documentation advises.
            "postgres": {
                **server.django_settings(),
                "OPTIONS": {"server_side_binding": True, "prepare_threshold": 5},
            },
        }
        settings.configure(
            DATABASES=configured,
            INSTALLED_APPS=[
                "django.contrib.auth",
                "django.contrib.contenttypes",
                "django_eventstore",
            ],
            USE_TZ=True,
            EVENT_STORES={
                alias: {
                    "BACKEND": "django_eventstore.backends.database.DatabaseEventStore",
                    "OPTIONS": {"database": alias},
                }
                for alias in configured
            },
        )
        django.setup()
        for alias in configured:
            call_command("migrate", database=alias, verbosity=0)
        yield file, server


def connect_sqlite(file: Path) -> sqlite3.Connection:
    """Return a bare connection with the same pragmas."""
    connection = sqlite3.connect(file, isolation_level=None, timeout=20, check_same_thread=False)
    connection.executescript(PRAGMAS)
    return connection
