"""The stores to put under load, and how many connections to each are open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pymysql

from tests.servers import MariaDBServer, NatsServer, PostgresServer
from tests.servers.databases import sqlite_settings
from tests.servers.scratch import scratch_directory

DATABASE_STORE = {"BACKEND": "django_eventstore.backends.database.DatabaseEventStore"}


@dataclass(frozen=True)
class Target:
    """
    One store.

    Attributes:
        database: the entry of `DATABASES`.
        store: the entry of `EVENT_STORES`.
        connections: returns how many connections the server has, or None where there is none.
        most_connections: how many one process with `threads` threads may open, as documented.
    """

    database: dict[str, Any]
    store: dict[str, Any]
    connections: Callable[[], int | None]
    most_connections: Callable[[int], int]


@contextmanager
def sqlite() -> Iterator[Target]:
    """A file: nothing to connect to."""
    entry = sqlite_settings("load", scratch_directory("es-load-"))
    yield Target(entry, DATABASE_STORE, lambda: None, lambda threads: threads)


@contextmanager
def postgres() -> Iterator[Target]:
    """Django's rule: a connection for each thread."""
    with PostgresServer() as server, psycopg.connect(server.dsn(), autocommit=True) as watching:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE client_port IS NOT NULL"

        def connections() -> int:
            return watching.execute(sql).fetchone()[0] - 1

        yield Target(server.django_settings(), DATABASE_STORE, connections, lambda threads: threads)


@contextmanager
def mariadb() -> Iterator[Target]:
    """As PostgreSQL."""
    with (
        MariaDBServer() as server,
        pymysql.connect(
            unix_socket=server.socket_path, user=server.user, autocommit=True
        ) as watching,
    ):
        cursor = watching.cursor()
        cursor.execute("CREATE DATABASE load_test")

        def connections() -> int:
            cursor.execute("SHOW STATUS LIKE 'Threads_connected'")
            return int(cursor.fetchone()[1]) - 1

        yield Target(
            server.django_settings("load_test"),
            DATABASE_STORE,
            connections,
            lambda threads: threads,
        )


@contextmanager
def jetstream() -> Iterator[Target]:
    """One connection for the whole process; the database holds what is not in the store."""
    with NatsServer() as server:
        entry = sqlite_settings("load", Path(scratch_directory("es-load-")))
        store = {
            "BACKEND": "django_eventstore.backends.jetstream.JetStreamEventStore",
            "OPTIONS": {"servers": [server.url], "max_age": None},
        }
        yield Target(
            entry,
            store,
            lambda: server.monitor("connz").get("num_connections", 0),
            lambda threads: 1,
        )


TARGETS = {"sqlite": sqlite, "postgres": postgres, "mariadb": mariadb, "jetstream": jetstream}
