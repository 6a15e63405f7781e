"""What differs between databases: the interface that each vendor's module fills in."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from ...events.metadata import CORRELATION_ID
from ...events.validation import MAX_TEXT_LENGTH
from ..base import assign_versions
from ..values import NewEvent, Placed
from .rows import Row, event_columns

NewRows = Sequence[tuple[NewEvent, int]]
"""Events to insert, each with its version."""


class Move(NamedTuple):
    """How an append moves an actor's row."""

    actor_id: str
    version: int
    number: int
    first_timestamp: datetime
    last_timestamp: datetime


class Vendor(ABC):
    """How one kind of database stores and reads.

    Args:
        connection: Django's connection of the current thread.
    """

    # How a timestamp and a JSON text are read; see event_columns().
    timestamp: ClassVar[str] = "{}"
    text: ClassVar[str] = "{}"
    # Tells whether a column contains a text, case and all.
    contains: ClassVar[str]
    # Behind an INSERT, what updates the row that is there, by its key; and the value of a column
    # that was to be inserted.
    or_update: ClassVar[str] = "ON CONFLICT ({}) DO UPDATE SET"
    inserted: ClassVar[str] = "excluded.{}"
    # Turns what was read as a timestamp into an aware datetime.
    aware: Callable[[Any], datetime]

    # What decode_events() takes.
    columns: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.columns = event_columns(cls.timestamp, cls.text)

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection

    @property
    def in_transaction(self) -> bool:
        """Whether the caller has a transaction open, which an append would be part of."""
        return self.connection.in_atomic_block or not self.connection.get_autocommit()

    def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of one statement."""
        connection = self.connection
        if connection.execute_wrappers or connection.queries_logged or not connection.connection:
            with connection.cursor() as cursor:
                cursor.execute(sql, params)
                rows: list[Row] = cursor.fetchall()
            return rows
        # Nobody is watching: Django's cursor would cost as much as a small statement itself.
        connection.validate_no_broken_transaction()
        with connection.wrap_database_errors:
            return self.fetch_unwatched(connection.connection, sql, params)

    @abstractmethod
    def fetch_unwatched(self, driver: Any, sql: str, params: Sequence[Any]) -> list[Row]:
        """Return the rows of one statement, straight from the driver's connection."""

    # -- writing

    @classmethod
    def or_replace(cls, columns: str, key: str) -> str:
        """Return what stands behind an INSERT so that it replaces a row with the same key."""
        changed = [name for name in columns.split(", ") if name not in key.split(", ")]
        changes = ", ".join(f"{name} = {cls.inserted.format(name)}" for name in changed)
        return f"{cls.or_update.format(key)} {changes}"

    def append(
        self, namespace: str, events: Sequence[NewEvent], expected_version: int | None
    ) -> list[Placed] | None:
        """Store ``events`` and return the place of each, as a transaction or part of one.

        Raises Django's errors; then nothing is stored, and the caller's transaction goes on.
        Returns None, with nothing stored, if an actor is not where the events need it to be.
        """
        return self.append_locked(namespace, events, expected_version)

    def append_locked(
        self, namespace: str, events: Sequence[NewEvent], expected_version: int | None
    ) -> list[Placed]:
        """Lock the actors, settle the versions, write: for any events.

        Raises:
            VersionConflictError, InvalidEventError: see assign_versions().
        """
        with transaction.atomic(self.connection.alias), self.connection.cursor() as cursor:
            self.before_writing(cursor)
            # In one fixed order, so that two appends cannot wait for each other.
            actors = sorted({event.actor_id for event, *_ in events})
            heads = self.lock_actors(cursor, namespace, actors, events[0].event.timestamp)
            versions = assign_versions(events, heads, expected_version)
            rows = list(zip(events, versions, strict=True))
            positions = self.insert_events(cursor, namespace, rows)
            self.move_actors(cursor, namespace, _moves(rows))
        return [Placed(*place) for place in zip(versions, positions, strict=True)]

    def before_writing(self, cursor: CursorWrapper) -> None:  # noqa: B027 - most need nothing
        """Do what must be done before a transaction takes its first position."""

    @abstractmethod
    def lock_actors(
        self, cursor: CursorWrapper, namespace: str, actor_ids: Sequence[str], now: datetime
    ) -> dict[str, int]:
        """Keep other writers from these (sorted) actors; return their latest versions."""

    @abstractmethod
    def insert_events(self, cursor: CursorWrapper, namespace: str, rows: NewRows) -> list[int]:
        """Insert the events in order; return their positions, ascending."""

    @abstractmethod
    def move_actors(self, cursor: CursorWrapper, namespace: str, moves: Sequence[Move]) -> None:
        """Move the locked actors' rows forward."""

    @abstractmethod
    def stored_time(self, timestamp: datetime) -> Any:
        """Return ``timestamp`` as the database keeps it; ``aware`` turns it back."""

    def content(self, new: NewEvent) -> tuple[Any, ...]:
        """Return the values of EVENT_CONTENT."""
        event = new.event
        correlation_id = event.metadata.get(CORRELATION_ID)
        return (
            self.stored_time(event.timestamp),
            event.id,
            event.event_type,
            event.command_id,
            # Cut to what an index can hold.
            None if correlation_id is None else correlation_id[:MAX_TEXT_LENGTH],
            new.data.decode(),
            new.metadata.decode(),
        )

    # -- reading in order

    def final_positions(self, after: int) -> Iterator[int | None]:
        """Yield bounds, ascending: at and below each nothing can appear any more.

        The last is the newest position at the time of the call, or what is held up by a
        transaction that is still open. None: everything is final.
        """
        yield None

    # -- keeping events as they are

    @abstractmethod
    def deletion_allowed(self) -> AbstractContextManager[None]:
        """Allow this connection to delete events, inside a transaction."""


def _moves(rows: NewRows) -> list[Move]:
    by_actor: dict[str, list[tuple[datetime, int]]] = {}
    for (event, *_), version in rows:
        by_actor.setdefault(event.actor_id, []).append((event.timestamp, version))
    return [
        Move(actor_id, own[-1][1], len(own), own[0][0], own[-1][0])
        for actor_id, own in by_actor.items()
    ]


def pause(attempt: int) -> None:
    """Wait a moment before trying again, longer each time; at random, so that rivals part."""
    time.sleep(random.uniform(0, 0.005 * 2 ** min(attempt, 5)))  # noqa: S311 - no secret
