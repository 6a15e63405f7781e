"""PostgreSQL.

An append of one actor is one statement, in one round trip: it moves the actor's row under a guard
and inserts the events at the version that came out of it. Large ones, and those of several actors,
lock the actors' rows first and send the events through COPY.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, Final

import orjson
from django.db import transaction
from django.db.backends.utils import CursorWrapper

from ...events.validation import MAX_VERSION
from ...exceptions import UnsupportedOperation
from ..values import NewEvent, Placed
from .fence import WRONG_ISOLATION, SQLFence
from .rows import Row, mark_utc
from .tables import ACTOR_COLUMNS, ACTORS, EVENT_COLUMNS, EVENTS
from .vendor import Move, NewRows, Vendor

# Up to so many events of one actor, and bytes of JSON, go in one statement; more are quicker, and
# take less memory, through COPY.
_ONE_STATEMENT: Final = 500
_ONE_STATEMENT_BYTES: Final = 4_000_000

_ADD_ACTOR = f"""
    INSERT INTO {ACTORS} AS head ({ACTOR_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (namespace, actor_id) DO """
_SET = """
    event_count = head.event_count + EXCLUDED.event_count, last_timestamp = EXCLUDED.last_timestamp
    """
_BACK = "RETURNING namespace, actor_id, version, last_timestamp"
# The actor's row moves: on to the next version; to a given one; from nothing; from a known one.
_MOVE_NEXT = f"""
    {_ADD_ACTOR} UPDATE SET version = head.version + EXCLUDED.event_count, {_SET}
    WHERE head.version <= {MAX_VERSION} - EXCLUDED.event_count {_BACK}
    """
_MOVE_TO = f"""
    {_ADD_ACTOR} UPDATE SET version = EXCLUDED.version, {_SET} WHERE head.version < %s {_BACK}
    """
_MOVE_NEW = f"{_ADD_ACTOR} NOTHING {_BACK}"
_MOVE_AT = f"""
    UPDATE {ACTORS} AS head
    SET version = %s, event_count = head.event_count + %s, last_timestamp = %s
    WHERE namespace = %s AND actor_id = %s AND version = %s {_BACK}
    """
# Behind one of those, in the same statement.
_INSERT: Final = f"INSERT INTO {EVENTS} ({EVENT_COLUMNS}) SELECT head.namespace, head.actor_id, "
_INSERT_ONE: Final = f"""
    {_INSERT} head.version, head.last_timestamp, %s, %s, %s, %s, %s, %s FROM announced, head
    RETURNING version, position
    """
# Several come as one JSON text: quicker to make and to take apart than arrays, or than a
# parameter for each value.
_INSERT_SEVERAL: Final = f"""
    {_INSERT} head.version + e.place, e.timestamp, e.event_id, e.event_type, e.command_id,
        e.correlation_id, e.data, e.metadata
    FROM announced, head, json_to_recordset(%s::json) AS e(place bigint, timestamp timestamptz,
        event_id text, event_type text, command_id text, correlation_id text, data text,
        metadata text)
    ORDER BY e.place
    RETURNING version, position
    """

_LOCK_ACTORS = f"""
    INSERT INTO {ACTORS} AS head ({ACTOR_COLUMNS})
    SELECT %s, actor_id, 0, 0, %s, %s FROM unnest(%s::text[]) WITH ORDINALITY AS a(actor_id, place)
    ORDER BY place
    ON CONFLICT (namespace, actor_id) DO UPDATE SET version = head.version
    RETURNING actor_id, version
    """
_MOVE_ACTORS = f"""
    UPDATE {ACTORS} AS head SET
        version = moved.version,
        event_count = head.event_count + moved.count,
        first_timestamp = CASE head.version
            WHEN 0 THEN moved.first_timestamp ELSE head.first_timestamp END,
        last_timestamp = moved.last_timestamp
    FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[])
        AS moved(actor_id, version, count, first_timestamp, last_timestamp)
    WHERE head.namespace = %s AND head.actor_id = moved.actor_id
    """
_TAKE_POSITIONS = f"""
    SELECT ARRAY(SELECT nextval(pg_get_serial_sequence('{EVENTS}', 'position'))
        FROM generate_series(1, %s))
    """
_COPY = f"COPY {EVENTS} (position, {EVENT_COLUMNS}) FROM STDIN"

# A transaction announces that it writes by a shared advisory lock whose number holds the newest
# position: the upper 16 of its 64 bits say that it is ours, the lower 48 are the position. Many
# appends in one transaction take it once (a transaction's locks share a table of limited size).
_TAG: Final = 0x4553
# By the function, not by a SELECT from the sequence: every 32nd nextval() shows those a value that
# is 32 ahead for a moment, for it logs that one, in place and without waiting for who reads.
_NEWEST_TAKEN: Final = f"coalesce(pg_sequence_last_value('{EVENTS}_position_seq'::regclass), 0)"
_LOCK: Final = f"pg_advisory_xact_lock_shared(({_TAG}::bigint << 48) | {_NEWEST_TAKEN})"
_ANNOUNCE: Final = f"SELECT {_LOCK}"
_ANNOUNCE_ONCE: Final = f"""
    SELECT CASE WHEN coalesce(current_setting('django_eventstore.announced', true), '') = ''
        THEN set_config('django_eventstore.announced', 'yes' || {_LOCK}::text, true) END
    """
# Whoever inserts locks the table so before anything else. An entry without a process is a
# prepared transaction (two-phase commit).
_WRITERS: Final = f"""
    SELECT w.virtualtransaction, coalesce('process ' || w.pid, 'prepared'),
        min((a.classid::bigint & 65535) << 32 | a.objid::bigint)
    FROM pg_locks w
    LEFT JOIN pg_locks a ON a.virtualtransaction = w.virtualtransaction
        AND a.pid IS NOT DISTINCT FROM w.pid
        AND a.locktype = 'advisory' AND a.objsubid = 1 AND a.classid::bigint >> 16 = {_TAG}
        AND a.database = w.database
    WHERE w.locktype = 'relation' AND w.relation = '{EVENTS}'::regclass
    AND w.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND w.mode = 'RowExclusiveLock' AND w.granted AND w.pid IS DISTINCT FROM pg_backend_pid()
    GROUP BY 1, 2
    """
_NEWEST: Final = f"""
    SELECT max(position), current_setting('transaction_isolation'), pg_is_in_recovery()
    FROM {EVENTS}
    """


class PostgreSQL(Vendor):
    # Without a time zone, which Django's loader would spend more time on than all the rest.
    timestamp = "{} AT TIME ZONE 'UTC'"
    contains = "strpos({}, %s) > 0"
    aware = staticmethod(mark_utc)

    def append(
        self, namespace: str, events: Sequence[NewEvent], expected_version: int | None
    ) -> list[Placed] | None:
        versions = _versions(events)
        if versions is None:
            return self.append_locked(namespace, events, expected_version)
        head = _head(namespace, events, versions, expected_version)
        if head is None:
            return None
        move, params = head
        if len(events) == 1:
            insert = _INSERT_ONE
            params += self.content(events[0])[1:]
        else:
            insert = _INSERT_SEVERAL
            params.append(self._as_json(events, versions))
        if self.in_transaction:
            # A refused statement would spoil the caller's transaction.
            with transaction.atomic(self.connection.alias):
                rows = self.fetch(_statement(_ANNOUNCE_ONCE, move, insert), params)
        else:
            rows = self.fetch(_statement(_ANNOUNCE, move, insert), params)
        return [Placed(*row) for row in rows] or None

    def fetch_unwatched(self, driver: Any, sql: str, params: Sequence[Any]) -> list[Row]:
        rows: list[Row] = driver.execute(sql, params).fetchall()
        return rows

    def before_writing(self, cursor: CursorWrapper) -> None:
        # What readers look for; see _WRITERS. COPY locks the table too late, behind nextval().
        cursor.execute(f"LOCK TABLE {EVENTS} IN ROW EXCLUSIVE MODE")
        cursor.execute(_ANNOUNCE_ONCE)

    def lock_actors(
        self, cursor: CursorWrapper, namespace: str, actor_ids: Sequence[str], now: datetime
    ) -> dict[str, int]:
        cursor.execute(_LOCK_ACTORS, (namespace, now, now, list(actor_ids)))
        return dict(cursor.fetchall())

    def insert_events(self, cursor: CursorWrapper, namespace: str, rows: NewRows) -> list[int]:
        cursor.execute(_TAKE_POSITIONS, (len(rows),))
        positions: list[int] = cursor.fetchone()[0]
        with self.connection.wrap_database_errors, cursor.copy(_COPY) as copy:
            for (new, version), position in zip(rows, positions, strict=True):
                copy.write_row(
                    (position, namespace, new.event.actor_id, version, *self.content(new))
                )
        return positions

    def move_actors(self, cursor: CursorWrapper, namespace: str, moves: Sequence[Move]) -> None:
        columns = [list(column) for column in zip(*moves, strict=True)]
        cursor.execute(_MOVE_ACTORS, (*columns, namespace))

    def _as_json(self, events: Sequence[NewEvent], versions: Sequence[int]) -> str:
        """Return the events as the JSON text that _INSERT_SEVERAL takes."""
        rows = []
        for new, version in zip(events, versions, strict=True):
            timestamp, event_id, event_type, command_id, correlation_id, data, metadata = (
                self.content(new)
            )
            # Spelled out: quicker than to zip names and values.
            rows.append(
                {
                    "place": version - versions[-1],
                    "timestamp": timestamp,
                    "event_id": event_id,
                    "event_type": event_type,
                    "command_id": command_id,
                    "correlation_id": correlation_id,
                    "data": data,
                    "metadata": metadata,
                }
            )
        return orjson.dumps(rows).decode()

    def stored_time(self, timestamp: datetime) -> Any:
        return timestamp

    def final_positions(self, after: int) -> Iterator[int | None]:
        return PostgreSQLFence(self).bounds(after)

    @contextmanager
    def deletion_allowed(self) -> Iterator[None]:
        with transaction.atomic(self.connection.alias), self.connection.cursor() as cursor:
            cursor.execute("SELECT set_config('django_eventstore.retention', 'on', true)")
            yield
            cursor.execute("SELECT set_config('django_eventstore.retention', '', true)")


class PostgreSQLFence(SQLFence):
    def newest(self) -> int | None:
        newest, isolation, is_replica = self.fetch(_NEWEST)[0]
        if is_replica:
            raise UnsupportedOperation(
                "read_all() cannot tell on a replica which transactions are open on the primary; "
                "read from the primary's alias."
            )
        if self.connection.in_atomic_block and isolation != "read committed":
            raise UnsupportedOperation(WRONG_ISOLATION)
        return newest  # type: ignore[no-any-return]

    def writers(self) -> dict[str, int]:
        return {
            f"{process}, transaction {transaction}": -1 if position is None else position
            for transaction, process, position in self.fetch(_WRITERS)
        }


def _versions(events: Sequence[NewEvent]) -> list[int] | None:
    """Return the versions, or 1, 2, ... where none is given; None if one statement will not do."""
    if len(events) == 1:
        return [events[0].event.version or 1]
    actor_id = events[0].event.actor_id
    if (
        len(events) > _ONE_STATEMENT
        or any(event.actor_id != actor_id for event, *_ in events)
        or sum(len(new.data) + len(new.metadata) for new in events) > _ONE_STATEMENT_BYTES
    ):
        return None
    given = [event.version for event, *_ in events if event.version is not None]
    if not given:
        return list(range(1, len(events) + 1))
    rising = len(given) == len(events) and given == sorted(set(given))
    return given if rising else None


def _head(
    namespace: str, events: Sequence[NewEvent], versions: Sequence[int], expected: int | None
) -> tuple[str, list[Any]] | None:
    """Return the statement that moves the actor's row, or None if it could not."""
    first, last = events[0].event, events[-1].event
    count = len(events)
    if expected is not None and expected > 0:
        to = versions[-1] if first.version is not None else expected + count
        if to > MAX_VERSION or (first.version is not None and first.version <= expected):
            return None
        return _MOVE_AT, [to, count, last.timestamp, namespace, first.actor_id, expected]
    added = [namespace, first.actor_id, versions[-1], count, first.timestamp, last.timestamp]
    if expected == 0:
        return _MOVE_NEW, added
    if first.version is None:
        return _MOVE_NEXT, added
    return _MOVE_TO, [*added, first.version]


@cache
def _statement(announce: str, move: str, insert: str) -> str:
    """Return the statement that announces, moves the actor's row and inserts the events."""
    return f"WITH announced AS MATERIALIZED ({announce}), head AS ({move}) {insert}"
