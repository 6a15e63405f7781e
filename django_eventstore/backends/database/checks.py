"""System checks of the database store; they open no connection."""

from __future__ import annotations

import re

from django.core.checks import CheckMessage, Warning  # noqa: A004 - Django's name
from django.db import connections

_LOSES_COMMITS = {
    # What each is called in DATABASES, where events that were acknowledged may be lost.
    "sqlite": re.compile(r"\bsynchronous\s*[=(]\s*(off|normal|[01])\b", re.IGNORECASE),
    "postgresql": re.compile(r"\bsynchronous_commit\s*=\s*(off|false|no|0)\b", re.IGNORECASE),
}
_WAL = re.compile(r"journal_mode\s*[=(]\s*wal", re.IGNORECASE)


def check_database(alias: str) -> list[CheckMessage]:
    """Return what there is to say of an entry in ``DATABASES`` that holds events."""
    connection = connections[alias]
    if connection.vendor != "sqlite":
        return []
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
                hint='Set "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL"} in DATABASES.',
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


def check_durability(alias: str) -> list[CheckMessage]:
    """Return by which of its settings the database may lose acknowledged events."""
    connection = connections[alias]
    settings = connection.settings_dict
    where = f"The event store's database {connection.alias!r}"
    if connection.vendor == "sqlite" and connection.is_in_memory_db():  # type: ignore[attr-defined]
        return [
            Warning(
                f"{where} is in memory: its events are gone when the process ends.",
                hint='Give "NAME" a file in DATABASES.',
                id="eventstore.W005",
            )
        ]
    loses_commits = _LOSES_COMMITS.get(connection.vendor)
    options = settings.get("OPTIONS", {})
    given = " ".join(str(options.get(name, "")) for name in ("init_command", "options"))
    if loses_commits is None or not (found := loses_commits.search(given)):
        return []
    return [
        Warning(
            f'{where} is set to "{found[0]}": it may lose the last events that it has acknowledged '
            f"when the machine dies.",
            hint="Leave that out to keep what is committed, or silence this check if such a loss "
            "is acceptable. See the documentation on durability.",
            id="eventstore.W004",
        )
    ]
