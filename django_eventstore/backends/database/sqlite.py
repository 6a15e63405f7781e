"""SQLite.

There is one writer at a time, so positions become visible in order. Each append begins with a
statement that writes: reading first, in a deferred transaction, is what raises "database is
locked". A trigger moves the actor's row, so that a single append is a single statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.backends.utils import CursorWrapper

from ...events.validation import MAX_VERSION
from ..values import NewEvent, Placed
from .rows import Row, format_utc, parse_utc
from .tables import ACTORS, EVENT_COLUMNS, EVENT_MARKS, EVENTS, RETENTION, key_lists
from .vendor import Move, NewRows, Vendor

_INSERT = f"INSERT INTO {EVENTS} ({EVENT_COLUMNS}) "
# The guard and the insert in one statement: it takes the write lock before it reads. Without a
# version, the event gets the next one.
_INSERT_ONE = (
    f"{_INSERT} SELECT %s, %s, coalesce(%s, head.version + 1), %s, %s, %s, %s, %s, %s, %s "
    f"FROM (SELECT coalesce((SELECT version FROM {ACTORS} WHERE namespace = %s AND actor_id = %s), "
    f"0) AS version) AS head WHERE head.version {{guard}} %s RETURNING version, position"
)
_INSERT_ABOVE = _INSERT_ONE.format(guard="<")
_INSERT_AT = _INSERT_ONE.format(guard="=")
_INSERT_MANY = f"{_INSERT} VALUES ({EVENT_MARKS})"


class SQLite(Vendor):
    timestamp = "CAST({} AS text)"  # Django's converter would fail the whole read at a bad one
    text = "CAST({} AS blob)"  # likewise text that is no UTF-8
    contains = "instr({}, %s) > 0"
    aware = staticmethod(parse_utc)

    def append(
        self, namespace: str, events: Sequence[NewEvent], expected_version: int | None
    ) -> list[Placed] | None:
        if len(events) > 1:
            return self.append_locked(namespace, events, expected_version)
        new = events[0]
        actor_id, version = new.event.actor_id, new.event.version
        bound = version or MAX_VERSION
        if expected_version is None:
            sql, guard = _INSERT_ABOVE, bound
        elif bound <= expected_version:
            return None
        else:
            sql, guard = _INSERT_AT, expected_version
        rows = self.fetch(
            sql, (namespace, actor_id, version, *self.content(new), namespace, actor_id, guard)
        )
        return [Placed(*row) for row in rows] or None

    def fetch_unwatched(self, driver: Any, sql: str, params: Sequence[Any]) -> list[Row]:
        rows: list[Row] = driver.execute(sql.replace("%s", "?"), params).fetchall()
        return rows

    def lock_actors(
        self, cursor: CursorWrapper, namespace: str, actor_ids: Sequence[str], now: datetime
    ) -> dict[str, int]:
        # Changes nothing, and takes the write lock.
        cursor.execute(f"DELETE FROM {ACTORS} WHERE 0")
        heads: dict[str, int] = {}
        for some, marks in key_lists(actor_ids):
            cursor.execute(
                f"SELECT actor_id, version FROM {ACTORS} "
                f"WHERE namespace = %s AND actor_id IN ({marks})",
                (namespace, *some),
            )
            heads.update(cursor.fetchall())
        return heads

    def insert_events(self, cursor: CursorWrapper, namespace: str, rows: NewRows) -> list[int]:
        cursor.executemany(
            _INSERT_MANY,
            [(namespace, new.event.actor_id, version, *self.content(new)) for new, version in rows],
        )
        cursor.execute("SELECT last_insert_rowid()")
        # With one writer, one append's positions have no gap.
        (last,) = cursor.fetchone()
        return list(range(last - len(rows) + 1, last + 1))

    def move_actors(self, cursor: CursorWrapper, namespace: str, moves: Sequence[Move]) -> None:
        """The trigger does."""

    def stored_time(self, timestamp: datetime) -> Any:
        return format_utc(timestamp)

    @contextmanager
    def deletion_allowed(self) -> Iterator[None]:
        # The row is gone before anyone else can see it.
        with transaction.atomic(self.connection.alias), self.connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {RETENTION} VALUES (1)")
            yield
            cursor.execute(f"DELETE FROM {RETENTION}")
