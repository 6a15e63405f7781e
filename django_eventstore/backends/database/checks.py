"""System checks of the database store; they open no connection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.core.checks import CheckMessage, Warning  # noqa: A004 - Django's name
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    from .store import DatabaseEventStore

_WAL = re.compile(r"journal_mode\s*[=(]\s*wal", re.IGNORECASE)


def check_database(store: DatabaseEventStore) -> list[CheckMessage]:
    """Return what there is to say of the store's entry in ``DATABASES``."""
    connection = connections[store.database]
    if connection.vendor == "sqlite":
        return _check_sqlite(connection)
    return []


def _check_sqlite(connection: BaseDatabaseWrapper) -> list[CheckMessage]:
    options = connection.settings_dict.get("OPTIONS", {})
    where = f"The event store's database {connection.alias!r} (SQLite)"
    messages: list[CheckMessage] = []
    if str(options.get("transaction_mode", "")).upper() not in ("IMMEDIATE", "EXCLUSIVE"):
        messages.append(
            Warning(
                f"{where} begins transactions in the deferred mode: one that reads before it "
                f'saves an event fails with "database is locked" whenever another one wrote '
                f"between.",
                hint='Set "OPTIONS": {"transaction_mode": "IMMEDIATE"} in DATABASES.',
                id="eventstore.W001",
            )
        )
    if not _WAL.search(str(options.get("init_command", ""))):
        messages.append(
            Warning(
                f"{where} is not set to write-ahead logging: readers and the writer keep each "
                f"other waiting, and each save costs several times as much.",
                hint='Set "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL; '
                'PRAGMA synchronous=NORMAL"} in DATABASES.',
                id="eventstore.W002",
            )
        )
    if float(options.get("timeout", 5)) < 5:
        messages.append(
            Warning(
                f"{where} waits less than 5 seconds for another writer; saves fail with "
                f'"database is locked" under load.',
                hint='Set "OPTIONS": {"timeout": 20} in DATABASES (in seconds).',
                id="eventstore.W003",
            )
        )
    return messages
