"""The databases that a test runs on, each as a parameter."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections, transaction

from django_eventstore.backends.database import DatabaseEventStore

ALL = ("default", "postgres", "mariadb")
# Those where transactions write at the same time, and may commit out of order.
SERVERS = ("postgres", "mariadb")
DEADLINE = 30.0


def on(*aliases: str, transactions: bool = False) -> pytest.MarkDecorator:
    """Return a mark: run the test with ``alias`` on each of these databases."""
    return pytest.mark.parametrize(
        "alias",
        [
            pytest.param(
                alias, marks=pytest.mark.django_db(databases=[alias], transaction=transactions)
            )
            for alias in aliases
        ],
    )


# Of the stores that store_on() returns; see the fixture ``own_namespace``.
namespace = ""


def store_on(alias: str) -> DatabaseEventStore:
    """Return a store in the database ``alias``."""
    return DatabaseEventStore(namespace=namespace, database=alias)


def execute(alias: str, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Execute SQL past the store; return the rows, if it gives any."""
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


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
