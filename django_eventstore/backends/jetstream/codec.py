"""Messages <-> events.

An append is one message: its payload an event's JSON form, or a list of them; see
``docs/jetstream.md``. What is malformed becomes a ReplayError in its place.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from ...events import Event, ReplayError
from ...events.event import made_event
from ...exceptions import EventTooLargeError, InvalidEventError
from ..values import NewEvent
from .names import encode_name
from .stored import Mark, Stored

POSITION_BITS: Final = 20
"""Low bits of a position: the event's place within its append. The rest is the sequence."""

MAX_EVENTS: Final = 1 << POSITION_BITS
"""The most events in one append."""

HEADER_ROOM: Final = 4096
"""Bytes of the largest message that are kept for its headers (an id may take 3,060)."""

MAX_INFLATED: Final = 64 * 1024 * 1024
"""The most that a compressed payload may hold, in bytes; a stranger's may claim anything."""

GZIP_LINE: Final = b"Content-Encoding: gzip"
_GZIP_HEADER = b"\r\n" + GZIP_LINE
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_GZIP_WINDOW = 31  # zlib's way of saying: gzip, not zlib


def encode(
    place: str, events: Sequence[NewEvent], versions: Sequence[int], total: int, limit: int
) -> tuple[list[bytes], bytes]:
    """Return an append of one actor as (header lines, payload).

    Args:
        place: the end of the subject, ``<actor>.<n>``.
        events: the events.
        versions: the version of each.
        total: how many events the actor has been given before.
        limit: the largest message that the server takes, in bytes, headers included.

    Raises:
        EventTooLargeError: it is larger, even compressed.
    """
    documents = [_document(*pair) for pair in zip(events, versions, strict=True)]
    payload = documents[0] if len(documents) == 1 else b"[%b]" % b",".join(documents)
    headers = [
        b"Nats-Expected-Last-Subject-Sequence: 0",
        Mark(versions[-1], len(events), total + len(events)).header(place),
    ]
    room = limit - HEADER_ROOM
    if len(payload) > room:
        payload = compress(payload)
        headers.append(GZIP_LINE)
        if len(payload) > room:
            raise EventTooLargeError(len(payload), room, "append")
    return headers, payload


def message_id(event_id: str) -> bytes:
    """Return the header line by which the server knows a message again."""
    return b"Nats-Msg-Id: %s" % encode_name(event_id).encode()


def compress(payload: bytes) -> bytes:
    """Return ``payload`` in gzip's format."""
    deflate = zlib.compressobj(1, wbits=_GZIP_WINDOW)
    return deflate.compress(payload) + deflate.flush()


def _document(new: NewEvent, version: int) -> bytes:
    # Put together as text: data and metadata are encoded already, and a dict for each of many
    # events costs more than the rest.
    event = new.event
    timestamp = event.timestamp
    if timestamp.tzinfo is not UTC:
        timestamp = timestamp.astimezone(UTC)
    return b'{"id":%b,"event_type":%b,"version":%d,"timestamp":%b%b%b%b}' % (
        orjson.dumps(event.id),
        orjson.dumps(event.event_type),
        version,
        orjson.dumps(timestamp, option=orjson.OPT_UTC_Z),
        b',"command_id":%b' % orjson.dumps(event.command_id) if event.command_id else b"",
        b',"data":%b' % new.data if new.data != b"{}" else b"",
        b',"metadata":%b' % new.metadata if new.metadata != b"{}" else b"",
    )


def header_block(lines: Sequence[bytes]) -> bytes:
    """Return a message's header block."""
    return b"NATS/1.0\r\n%s\r\n\r\n" % b"\r\n".join(lines)


def decode_own(stored: Stored) -> list[Event] | None:
    """Return the events of one of our own messages; None if it is none, or not what it says."""
    mark, actor_id = stored.mark, stored.actor_id
    if mark is None or actor_id is None:
        return None
    place = stored.sequence << POSITION_BITS
    try:
        document = orjson.loads(_payload(stored))
        if type(document) is dict:
            events = [_own_event(document, actor_id, place)]
        else:
            events = [_own_event(each, actor_id, at) for at, each in enumerate(document, place)]
    except (KeyError, TypeError, ValueError, AttributeError, zlib.error):
        return None
    if not events or events[-1].version != mark.version or len(events) != mark.events:
        return None
    return events


def decode_checked(stored: Stored, actor_id: str, above: int) -> list[Event | ReplayError]:
    """Return the events of anybody's message, each checked.

    Args:
        stored: the message.
        actor_id: the actor that its subject names.
        above: the actor's version before it.
    """
    try:
        documents = load(stored)
        _check_integers(_payload(stored))
    except (ValueError, zlib.error) as error:
        return [replay_error(stored, error)]
    if not documents:
        return [replay_error(stored, InvalidEventError("events", "there are none."))]
    start = stored.sequence << POSITION_BITS
    events: list[Event | ReplayError] = []
    for index, document in enumerate(documents):
        try:
            event = _checked_event(document, actor_id, start + index, above, stored.time.decode())
        except ValueError as error:
            # An append is all or none: one malformed event, and none of it counts.
            return [replay_error(stored, error)]
        above = event.version or above
        events.append(event)
    return events


def load(stored: Stored) -> list[Any]:
    """Return the documents in a message: those of its list, or the one that it is.

    Raises:
        ValueError, zlib.error: it is no JSON, or too large.
    """
    document = orjson.loads(_payload(stored))
    return document if isinstance(document, list) else [document]


def _payload(stored: Stored) -> bytes:
    if _GZIP_HEADER not in stored.headers:
        return stored.data
    inflate = zlib.decompressobj(wbits=_GZIP_WINDOW)
    payload = inflate.decompress(stored.data, MAX_INFLATED)
    if not inflate.eof:
        raise ValueError("The compressed payload is cut short or too large.")
    return payload


def _check_integers(payload: bytes) -> None:
    """Raise ValueError where an integer takes more than 64 bits: orjson makes it a float."""
    if _LONG_NUMBER.search(payload):
        try:
            json.loads(payload, parse_int=_check_integer)
        except RecursionError as error:
            raise ValueError("It is nested too deep.") from error


def _check_integer(text: str) -> None:
    if not -(2**63) <= int(text) < 2**64:
        raise ValueError(f"It holds the integer {text[:30]}, which takes more than 64 bits.")


def _own_event(document: Any, actor_id: str, place: int) -> Event:
    event_type, version, event_id = document["event_type"], document["version"], document["id"]
    data, metadata = document.get("data", {}), document.get("metadata", {})
    command_id = document.get("command_id", "")
    timestamp = datetime.fromisoformat(document["timestamp"])
    if not (
        type(version) is int
        and type(event_id) is str
        and type(event_type) is str
        and type(command_id) is str
        and type(data) is dict
        and type(metadata) is dict
        and timestamp.tzinfo is UTC
    ):
        raise TypeError
    return made_event(
        actor_id, event_type, data, version, event_id, command_id, metadata, timestamp, place
    )


def _checked_event(document: Any, actor_id: str, place: int, above: int, time: str) -> Event:
    if not isinstance(document, dict):
        raise InvalidEventError("event", f"must be a JSON object, got {type(document).__name__}.")
    for name in ("id", "version"):
        if document.get(name) is None:
            raise InvalidEventError(name, "is missing.")
    known = {"actor_id": actor_id, "timestamp": time, **document}
    known["position"] = place
    event = Event.from_dict(known)
    if event.actor_id != actor_id:
        raise InvalidEventError(
            "actor_id", f"is {event.actor_id!r}, on a subject of actor {actor_id!r}."
        )
    if event.version is None or event.version <= above:
        raise InvalidEventError(
            "version", f"{event.version} is not above {above}, the version before it."
        )
    return event


def replay_error(stored: Stored, error: Exception) -> ReplayError:
    """Return the error that stands in the place of a message."""
    return ReplayError(stored.sequence << POSITION_BITS, stored.data, error, stored.actor_id)
