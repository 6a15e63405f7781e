"""Rows of the event and snapshot tables to Event, Snapshot or ReplayError; no model instances."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from orjson import loads

from ...events import Event, ReplayError, Snapshot
from ...events.event import made_event
from ...exceptions import InvalidEventError

Row: TypeAlias = tuple[Any, ...]

POSITION: Final = 0
VERSION: Final = 2
DATA: Final = 7


def event_columns(timestamp: str, text: str) -> str:
    """Return the columns that decode_events() takes.

    Args:
        timestamp: what a column is read as to get the time, "{}" in the place of the column.
        text: the same, for JSON.
    """
    return (
        f"e.position, e.actor_id, e.version, e.event_id, e.event_type, e.command_id, "
        f"{timestamp.format('e.timestamp')}, {text.format('e.data')}, {text.format('e.metadata')}"
    )


def decode_events(
    rows: Iterable[Row], aware: Callable[[Any], datetime]
) -> list[Event | ReplayError]:
    """Return an Event for each row, or a ReplayError for one that is none.

    Args:
        rows: with the columns of event_columns().
        aware: returns the time in UTC of what the database gave.
    """
    items: list[Event | ReplayError] = []
    for row in rows:
        (
            position,
            actor_id,
            version,
            event_id,
            event_type,
            command_id,
            timestamp,
            data_text,
            metadata_text,
        ) = row
        try:
            data = loads(data_text)
            metadata = loads(metadata_text)
            if (
                type(data) is not dict
                or type(metadata) is not dict
                or not event_type
                or not event_id
                or type(version) is not int
                or version < 1
            ):
                raise _complaint(row, data, metadata)
            for key in metadata:
                if type(metadata[key]) is not str:
                    raise _complaint(row, data, metadata)
            event = made_event(
                actor_id,
                event_type,
                data,
                version,
                event_id,
                command_id,
                metadata,
                aware(timestamp),
                position,
            )
        except (ValueError, TypeError) as error:
            items.append(ReplayError(position, _raw_event(row), error, _text(actor_id)))
        else:
            items.append(event)
    return items


def _complaint(row: Row, data: Any, metadata: Any) -> InvalidEventError:
    if type(data) is not dict:
        return InvalidEventError("data", f"is a JSON {type(data).__name__}, not an object.")
    if type(metadata) is not dict:
        return InvalidEventError("metadata", f"is a JSON {type(metadata).__name__}, not an object.")
    for key, value in metadata.items():
        if type(value) is not str:
            return InvalidEventError(
                f"metadata[{key!r}]", f"is a {type(value).__name__}, not text."
            )
    for name, value in (("id", row[3]), ("event_type", row[4])):
        if not value:
            return InvalidEventError(name, "is empty.")
    return InvalidEventError("version", f"is {row[VERSION]!r}, not a positive integer.")


def _raw_event(row: Row) -> str:
    """Return the row as text in the form of Event.to_dict(), with its JSON untouched."""
    position, actor_id, version, event_id, event_type, command_id, timestamp, data, metadata = row
    return (
        f'{{"id": "{_text(event_id)}", "actor_id": "{_text(actor_id)}", '
        f'"event_type": "{_text(event_type)}", "version": {_text(version)}, '
        f'"command_id": "{_text(command_id)}", "timestamp": "{_text(timestamp)}", '
        f'"data": {_text(data)}, "metadata": {_text(metadata)}, "position": {position}}}'
    )


def decode_snapshot(row: Row, aware: Callable[[Any], datetime]) -> Snapshot | ReplayError:
    """Return the Snapshot of (actor id, version, schema version, timestamp, state), or why not."""
    actor_id, version, schema_version, timestamp, state = row
    try:
        return Snapshot(
            actor_id, version, loads(state), aware(timestamp), schema_version=schema_version
        )
    except (ValueError, TypeError) as error:
        return ReplayError(None, _text(state), error, _text(actor_id))


def _text(value: Any) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def parse_utc(text: str) -> datetime:
    """Return the aware datetime of ISO 8601 text that is in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def mark_utc(naive: datetime) -> datetime:
    """Return the aware datetime of a naive one that is in UTC."""
    return naive.replace(tzinfo=UTC)


def format_utc(time: datetime) -> str:
    """Return the text by which a database without time zones keeps ``time``."""
    return time.astimezone(UTC).isoformat(" ", "microseconds")[: -len("+00:00")]
