"""The databases that a test runs on, stores in them, and SQL that goes past these."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction

from django_eventstore import EventStore, event_stores
from django_eventstore.backends.database import DatabaseEventStore
from django_eventstore.backends.database.tables import EVENT_COLUMNS, EVENTS
from django_eventstore.backends.database.vendors import vendor_of

ALL = ("default", "postgres", "mariadb")
# Those where transactions write at the same time, and may commit out of order.
SERVERS = ("postgres", "mariadb")
DEADLINE = 30.0


def on_each(*aliases: str, transactions: bool = False) -> list[Any]:
    """Return the aliases as parameters of a test or fixture, each with the mark that it needs."""
    return [
        pytest.param(
            alias, marks=pytest.mark.django_db(databases=[alias], transaction=transactions)
        )
        for alias in aliases
    ]


def on(*aliases: str, transactions: bool = False) -> pytest.MarkDecorator:
    """Return a mark: run the test with ``alias`` on each of these databases."""
    return pytest.mark.parametrize("alias", on_each(*aliases, transactions=transactions))


# Of the stores that store_on() returns; see the fixture ``own_namespace``.
namespace = ""


def store_on(alias: str) -> DatabaseEventStore:
    """Return a store in the database ``alias``."""
    return DatabaseEventStore(namespace=namespace, database=alias)


# What the child processes of the contract open.
def open_default(namespace: str) -> EventStore:
    return event_stores["default"].with_namespace(namespace)


def open_postgres(namespace: str) -> EventStore:
    return event_stores["postgres"].with_namespace(namespace)


def open_mariadb(namespace: str) -> EventStore:
    return event_stores["mariadb"].with_namespace(namespace)


def execute(alias: str, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Execute SQL past the store; return the rows, if it gives any."""
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


def remove(position: int, alias: str = "default") -> None:
    """Remove a stored event, as the triggers let nobody else do."""
    with vendor_of(connections[alias]).deletion_allowed(), connections[alias].cursor() as cursor:
        cursor.execute(f"DELETE FROM {EVENTS} WHERE position = %s", [position])
        assert cursor.rowcount == 1


def tamper(position: int, alias: str = "default", **fields: object) -> None:
    """Change fields of a stored event, as the triggers let nobody else do."""
    columns = f"position, {EVENT_COLUMNS}"
    [row] = execute(alias, f"SELECT {columns} FROM {EVENTS} WHERE position = %s", [position])
    changed = dict(zip(columns.split(", "), row, strict=True)) | fields
    remove(position, alias)
    marks = ", ".join(["%s"] * len(changed))
    execute(alias, f"INSERT INTO {EVENTS} ({columns}) VALUES ({marks})", list(changed.values()))


def refused(alias: str, sql: str) -> None:
    """Assert that a trigger refuses the statement."""
    with (
        pytest.raises(IntegrityError, match=r"django-eventstore|prune_events"),
        transaction.atomic(alias),
    ):
        execute(alias, sql)


@contextmanager
def rolled_back(alias: str):
    """Run the block in a transaction, or a savepoint of the one around, that is rolled back."""
    with transaction.atomic(alias):
        yield
        transaction.set_rollback(True, alias)


def run_in_thread(function: Callable[[], Any]) -> Future:
    """Start ``function`` in a thread of its own, whose database connections are closed."""
    pool = ThreadPoolExecutor(1)

    def run() -> Any:
        try:
            return function()
        finally:
            connections.close_all()

    future = pool.submit(run)
    pool.shutdown(wait=False)
    return future


@contextmanager
def open_transaction(alias: str, work: Callable[[], Any], *, commit: bool = True):
    """Do ``work`` in a transaction of another connection, which ends with the block.

    Yields what ``work`` returned.
    """
    done, go_on = threading.Event(), threading.Event()
    result: list[Any] = []

    def run() -> None:
        with transaction.atomic(alias):
            try:
                result.append(work())
            finally:
                done.set()
            assert go_on.wait(DEADLINE)
            if not commit:
                transaction.set_rollback(True, alias)

    future = run_in_thread(run)
    try:
        assert done.wait(DEADLINE)
        yield result[0] if result else future.result(DEADLINE)
    finally:
        go_on.set()
        future.result(DEADLINE)
