"""MariaDB and MySQL.

An append locks its actors' rows, then inserts: several statements in one transaction, done again
after a deadlock. A transaction that appends first adds a row to the table of writers: others see
it before it commits, by reading what is uncommitted, and so know of each open one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from ...exceptions import UnsupportedOperation
from ..values import NewEvent
from .fence import WRONG_ISOLATION, SQLFence
from .rows import Row, format_utc, parse_utc
from .tables import ACTOR_COLUMNS, ACTORS, EVENT_COLUMNS, EVENT_MARKS, EVENTS, WRITERS, key_lists
from .vendor import Move, NewRows, Vendor

_NEWEST: Final = f"SELECT MAX(position), @@auto_increment_increment FROM {EVENTS}"
_ANNOUNCE: Final = f"INSERT INTO {WRITERS} (connection, newest) VALUES (CONNECTION_ID(), %s)"
_WRITERS: Final = f"SELECT id, connection, newest FROM {WRITERS}"
_REMOVE: Final = f"DELETE FROM {WRITERS} WHERE id = %s"
# Every so many appends, the rows of those that have ended are removed.
_CLEAN_EVERY: Final = 50
_ADD_ACTORS: Final = f"INSERT INTO {ACTORS} ({ACTOR_COLUMNS}) VALUES {{}} ON DUPLICATE KEY UPDATE "
_ROW: Final = "(%s, %s, %s, %s, %s, %s)"
# Assigned from left to right, so `version` is still the old one in the first.
_MOVE: Final = """
    first_timestamp = IF(version = 0, VALUES(first_timestamp), first_timestamp),
    last_timestamp = VALUES(last_timestamp),
    event_count = event_count + VALUES(event_count),
    version = VALUES(version)
    """
# A statement must fit the server's max_allowed_packet, 16 MB unless set otherwise.
_STATEMENT_BYTES: Final = 4_000_000
_STATEMENT_ROWS: Final = 1_000


class MySQL(Vendor):
    timestamp = "CAST({} AS char)"
    contains = "LOCATE(%s, {0}) > 0"
    aware = staticmethod(parse_utc)
    or_update = "ON DUPLICATE KEY UPDATE"
    inserted = "VALUES({})"

    def fetch_unwatched(self, driver: Any, sql: str, params: Sequence[Any]) -> list[Row]:
        with driver.cursor() as cursor:
            cursor.execute(sql, params)
            return list(cursor.fetchall())

    def before_writing(self, cursor: CursorWrapper) -> None:
        cursor.execute(_NEWEST)
        newest, self._step = cursor.fetchone()
        cursor.execute(_ANNOUNCE, (newest or 0,))
        if cursor.lastrowid % _CLEAN_EVERY == 0:
            # Not in this transaction: it may stay open for long, and so would the rows' locks.
            transaction.on_commit(MySQLFence(self).clean, using=self.connection.alias, robust=True)

    def lock_actors(
        self, cursor: CursorWrapper, namespace: str, actor_ids: Sequence[str], now: datetime
    ) -> dict[str, int]:
        missing = [Move(actor_id, 0, 0, now, now) for actor_id in actor_ids]
        self._add_actors(cursor, namespace, missing, "version = version")
        heads: dict[str, int] = {}
        for some, marks in key_lists(actor_ids):
            # The lock is there; FOR UPDATE shows the newest row to a REPEATABLE READ too.
            cursor.execute(
                f"SELECT actor_id, version FROM {ACTORS} "
                f"WHERE namespace = %s AND actor_id IN ({marks}) FOR UPDATE",
                (namespace, *some),
            )
            heads.update(cursor.fetchall())
        return heads

    def insert_events(self, cursor: CursorWrapper, namespace: str, rows: NewRows) -> list[int]:
        positions: list[int] = []
        for some in _statements(rows):
            cursor.execute(
                f"INSERT INTO {EVENTS} ({EVENT_COLUMNS}) VALUES "
                + ", ".join([f"({EVENT_MARKS})"] * len(some)),
                [
                    value
                    for new, version in some
                    for value in (namespace, new.event.actor_id, version, *self.content(new))
                ],
            )
            # The first of the statement; the server takes a statement's positions in one piece.
            first = cursor.lastrowid
            positions.extend(first + self._step * place for place in range(len(some)))
        return positions

    def move_actors(self, cursor: CursorWrapper, namespace: str, moves: Sequence[Move]) -> None:
        self._add_actors(cursor, namespace, moves, _MOVE)

    def _add_actors(
        self, cursor: CursorWrapper, namespace: str, moves: Sequence[Move], update: str
    ) -> None:
        """Add the actors' rows, or update those that are there."""
        for start in range(0, len(moves), _STATEMENT_ROWS):
            some = moves[start : start + _STATEMENT_ROWS]
            cursor.execute(
                _ADD_ACTORS.format(", ".join([_ROW] * len(some))) + update,
                [
                    value
                    for move in some
                    for value in (
                        namespace,
                        move.actor_id,
                        move.version,
                        move.number,
                        self.stored_time(move.first_timestamp),
                        self.stored_time(move.last_timestamp),
                    )
                ],
            )

    def stored_time(self, timestamp: datetime) -> Any:
        return format_utc(timestamp)

    def final_positions(self, after: int) -> Iterator[int | None]:
        return MySQLFence(self).bounds(after)

    @contextmanager
    def deletion_allowed(self) -> Iterator[None]:
        with self.connection.cursor() as cursor:
            cursor.execute("SET @django_eventstore_retention = 1")
            try:
                with transaction.atomic(self.connection.alias):
                    yield
            finally:
                cursor.execute("SET @django_eventstore_retention = NULL")


class MySQLFence(SQLFence):
    def newest(self) -> int | None:
        if self.connection.in_atomic_block and self.connection.isolation_level not in (  # type: ignore[attr-defined]
            "read committed",
            "read uncommitted",
        ):
            raise UnsupportedOperation(WRONG_ISOLATION)
        return self.fetch(_NEWEST)[0][0]  # type: ignore[no-any-return]

    def writers(self) -> dict[str, int]:
        connection = self.connection
        if self.vendor.in_transaction:
            # A transaction cannot change its isolation level half-way.
            other = connection.copy()
            try:
                announced = _uncommitted(other)
            finally:
                other.close()
        else:
            announced = _uncommitted(connection)
        ((own,),) = self.fetch("SELECT CONNECTION_ID()")
        ended = {number for number, *_ in self.fetch(_WRITERS)}
        return {
            f"connection {thread}, append {number}": newest
            for number, thread, newest in announced
            if number not in ended and thread != own
        }

    def clean(self) -> None:
        """Remove the rows of transactions that have ended, up to the first that has not."""
        announced = [number for number, *_ in _uncommitted(self.connection)]
        ended = {number for number, *_ in self.fetch(_WRITERS)}
        first_open = min((number for number in announced if number not in ended), default=None)
        gone = [number for number in sorted(ended) if first_open is None or number < first_open]
        # One by one: a range would lock the row behind it too, and wait until its transaction ends.
        with transaction.atomic(self.connection.alias), self.connection.cursor() as cursor:
            cursor.executemany(_REMOVE, [(number,) for number in gone])


def _uncommitted(connection: BaseDatabaseWrapper) -> list[tuple[int, int, int]]:
    """Return the rows of the table of writers, those of open transactions among them."""
    with connection.cursor() as cursor:
        # For the next statement alone.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
        cursor.execute(_WRITERS)
        rows: list[tuple[int, int, int]] = cursor.fetchall()
    return rows


def _statements(rows: NewRows) -> Iterator[NewRows]:
    """Yield the rows that go into one statement each."""
    some: list[tuple[NewEvent, int]] = []
    size = 0
    for new, version in rows:
        length = len(new.data) + len(new.metadata) + 2_000
        if some and (size + length > _STATEMENT_BYTES or len(some) == _STATEMENT_ROWS):
            yield some
            some, size = [], 0
        some.append((new, version))
        size += length
    if some:
        yield some
