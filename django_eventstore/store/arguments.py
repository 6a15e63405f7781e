"""What the methods of EventStore accept: checked, and made into what the primitives take."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypedDict, Unpack

import orjson

from ..backends.values import ACTOR_ORDERINGS, ActorQuery, ActorRange, NewEvent, Selection
from ..events import Event, Snapshot
from ..events.event import check_event, check_snapshot, made_event
from ..events.validation import (
    MAX_VERSION,
    check_characters,
    check_integer,
    check_text,
    check_timestamp,
)
from ..exceptions import (
    DuplicateEventError,
    EventTooLargeError,
    InvalidEventError,
    VersionConflictError,
)

Decided = Event | Iterable[Event] | None


class Expect(Enum):
    """What ``expected_version`` may be beside a number."""

    MUST_EXIST = "must exist"


MUST_EXIST: Final = Expect.MUST_EXIST
"""As ``expected_version``: the actor must have events, however many."""


class Bounds(TypedDict, total=False):
    """Which events of an actor to read; see EventStore.get_events()."""

    to_version: int | None
    limit: int | None
    reverse: bool


class Filters(TypedDict, total=False):
    """Which events of the store are meant; see EventStore.read_all()."""

    event_types: Collection[str] | None
    actor_id: str | None
    correlation_id: str | None
    since: datetime | None
    until: datetime | None


class Reading(Filters, total=False):
    """Which events of the store to read; see EventStore.read_all()."""

    limit: int | None
    before: int | None
    reverse: bool


def as_list(events: Iterable[Event]) -> list[Event]:
    """Return ``events`` as a list.

    Raises:
        InvalidEventError: it is no iterable, or one of something else at first sight.
    """
    if type(events) is list or type(events) is tuple:
        return list(events)
    refusal = InvalidEventError("events", f"must be a list of Event, got {type(events).__name__}.")
    if isinstance(events, (Event, str, bytes, Mapping)):
        raise refusal
    try:
        iterator = iter(events)
    except TypeError as error:
        raise refusal from error
    return list(iterator)


def decided(events: Decided) -> list[Event]:
    """Return what ``decide`` of EventStore.update() made, as a list."""
    if events is None:
        return []
    return [events] if isinstance(events, Event) else as_list(events)


def decided_for(actor_id: str, events: Decided) -> list[Event]:
    """See decided(); all must be events of ``actor_id``.

    Raises:
        InvalidEventError: an event belongs to another actor, whose version nobody has seen.
    """
    listed = decided(events)
    for event in listed:
        if isinstance(event, Event) and event.actor_id != actor_id:
            raise InvalidEventError(
                "actor_id",
                f"update() decides on the state of {actor_id!r}, and this event belongs to "
                f"{event.actor_id!r}; save it on its own.",
            )
    return listed


def new_events(events: Iterable[Event], ambient: Mapping[str, str], limit: int) -> list[NewEvent]:
    """Check ``events``, merge the ``ambient`` metadata into each, and encode them; times in UTC.

    Args:
        events: as given.
        ambient: metadata; the events' own keys win.
        limit: the most that an event's data and metadata may take, in bytes as JSON.

    Raises:
        InvalidEventError, EventTooLargeError: an event cannot be accepted.
        DuplicateEventError: two of the events have one id.
    """
    new = []
    ids = set()
    for given in as_list(events):
        text, data = check_event(given)
        if given.id in ids:
            raise DuplicateEventError(given.id, given.actor_id, "is there twice in one append")
        ids.add(given.id)
        metadata = {**ambient, **given.metadata}
        names = given.actor_id, given.event_type, given.id, given.command_id
        actor_id, event_type, event_id, command_id = names
        if not (type(actor_id) is type(event_type) is type(event_id) is type(command_id) is str):
            # A member of an enum (``models.TextChoices``) is saved as the text that comes back.
            actor_id, event_type, event_id, command_id = map(str.__str__, names)
        event = made_event(
            actor_id,
            event_type,
            data,
            given.version,
            event_id,
            command_id,
            metadata,
            check_timestamp("timestamp", given.timestamp),
        )
        metadata_text = orjson.dumps(metadata)
        check_size(len(text) + len(metadata_text), limit, "event")
        new.append(NewEvent(event, text, metadata_text))
    return new


def check_size(size: int, limit: int, what: str) -> None:
    """Raise EventTooLargeError if ``size`` (bytes) is above ``limit``."""
    if size > limit:
        raise EventTooLargeError(size, limit, what)


def check_expected(expected_version: int | Expect | None, new: Iterable[NewEvent]) -> None:
    """Check ``expected_version``, which goes with the events of one actor.

    Raises:
        InvalidEventError: it is no version, or the events belong to several actors.
    """
    if expected_version is None:
        return
    if not isinstance(expected_version, Expect):
        check_integer("expected_version", expected_version, minimum=0)
    if (actors := len({event.event.actor_id for event in new})) > 1:
        raise InvalidEventError(
            "expected_version", f"goes with one actor, and these events belong to {actors}."
        )


def check_exists(event: Event, latest: int) -> None:
    """Raise VersionConflictError if the actor, at version ``latest``, has no events."""
    if latest == 0:
        raise VersionConflictError(event.actor_id, event.version or 1, None, 0)


def new_snapshot(snapshot: Snapshot, limit: int) -> tuple[Snapshot, bytes]:
    """Check ``snapshot``; return it with its time in UTC, and its state as JSON text.

    Raises:
        InvalidEventError: a field is wrong.
        EventTooLargeError: the state takes more than ``limit`` bytes.
    """
    state = check_snapshot(snapshot)
    check_size(len(state), limit, "snapshot")
    timestamp = check_timestamp("timestamp", snapshot.timestamp)
    return replace(snapshot, timestamp=timestamp), state


def check_upto(actor_id: str, name: str, version: int | None) -> None:
    """Check an actor id, and the argument ``name``: a version or None."""
    check_text("actor_id", actor_id)
    if version is not None:
        check_integer(name, version, minimum=0)


def snapshot_range(actor_id: str, from_version: int, to_version: int | None) -> tuple[int, int]:
    """Check the arguments of EventStore.delete_snapshots(); return the first and last version."""
    check_upto(actor_id, "to_version", to_version)
    check_integer("from_version", from_version, minimum=0)
    return from_version, MAX_VERSION if to_version is None else to_version


def actor_range(
    actor_id: str,
    from_version: int = 0,
    *,
    to_version: int | None = None,
    limit: int | None = None,
    reverse: bool = False,
) -> ActorRange:
    """Return what the primitives call the arguments of EventStore.get_events()."""
    check_upto(actor_id, "to_version", to_version)
    check_integer("from_version", from_version, minimum=0)
    if limit is not None:
        check_integer("limit", limit, minimum=0)
    return ActorRange(
        from_version=from_version, to_version=to_version, limit=limit, reverse=bool(reverse)
    )


def selection(after: int | None = None, **reading: Unpack[Reading]) -> Selection:
    """Return what the primitives call the arguments of EventStore.read_all()."""
    given: dict[str, Any] = {"after": after, **reading}
    if unknown := given.keys() - _CHECKS.keys():
        raise TypeError(f"unexpected keyword argument {min(unknown)!r}")
    checked = {
        name: _CHECKS[name](name, value) for name, value in given.items() if value is not None
    }
    return Selection(**checked)


def _check_count(name: str, number: object) -> int:
    return check_integer(name, number, minimum=0)


def _check_names(name: str, names: Collection[str]) -> frozenset[str]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise InvalidEventError(name, f"must be a list of event types, got {names!r}.")
    return frozenset(check_text(name, each) for each in names)


_CHECKS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "after": _check_count,
    "before": _check_count,
    "limit": _check_count,
    "reverse": lambda name, given: bool(given),
    "event_types": _check_names,
    "actor_id": check_text,
    "correlation_id": check_characters,
    "since": check_timestamp,
    "until": check_timestamp,
}


def check_actor_query(query: ActorQuery) -> None:
    """Check the arguments of EventStore.get_actors().

    Raises:
        InvalidEventError: one of them is wrong.
    """
    order_by, time_limit = query.order_by, query.time_limit
    check_characters("search", query.search)
    check_integer("limit", query.limit, minimum=0)
    if query.cursor is not None:
        check_characters("cursor", query.cursor)
    if not isinstance(order_by, str) or query.name not in ACTOR_ORDERINGS:
        raise InvalidEventError(
            "order_by", f"must be one of {', '.join(ACTOR_ORDERINGS)}, got {order_by!r}."
        )
    if time_limit is not None and (
        isinstance(time_limit, bool)
        or not isinstance(time_limit, (int, float))
        or not time_limit > 0
    ):
        raise InvalidEventError(
            "time_limit", f"must be a number of seconds above 0, or None, got {time_limit!r}."
        )


def checked_actor_ids(actor_ids: Iterable[str]) -> list[str]:
    """Return ``actor_ids`` as a list.

    Raises:
        InvalidEventError: one of them is wrong.
    """
    return [check_text("actor_id", actor_id) for actor_id in actor_ids]


def lookup(event_id: str, actor_id: str | None) -> tuple[str, ...] | None:
    """Check the arguments of EventStore.get_event_by_id(); return the actors to look at."""
    check_text("id", event_id)
    return None if actor_id is None else (check_text("actor_id", actor_id),)
