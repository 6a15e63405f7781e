"""What goes into the primitives of a backend, and what comes out beside events."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

import orjson

from ..events import Event
from ..events.validation import check_integer, check_text
from ..exceptions import InvalidEventError

ACTOR_ORDERINGS: Final = (
    "actor_id",
    "latest_version",
    "event_count",
    "first_timestamp",
    "last_timestamp",
    "last_position",
)
"""What actors may be ordered by, ascending, or descending with ``-`` in front."""


class NewEvent(NamedTuple):
    """An event to append: validated, its metadata complete, its timestamp in UTC.

    What ``event`` holds goes back to the caller; a backend keeps the texts.
    """

    event: Event
    data: bytes
    """``event.data`` as JSON text in UTF-8."""
    metadata: bytes
    """``event.metadata`` as JSON text in UTF-8."""


class Placed(NamedTuple):
    """Where an appended event went."""

    version: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorRange:
    """Which events of an actor to read. Bounds are inclusive; versions order the events.

    ``limit`` counts events: malformed ones among them are yielded, and not counted.
    """

    from_version: int = 0
    to_version: int | None = None
    limit: int | None = None
    reverse: bool = False

    @property
    def nothing(self) -> bool:
        """Whether nothing can be selected: a limit of 0."""
        return self.limit == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which events of the store to read. Position orders the events.

    ``after`` and ``before`` are exclusive positions, ``since`` and ``until`` inclusive
    timestamps. ``limit`` counts events: malformed ones are yielded, and not counted.
    """

    after: int | None = None
    before: int | None = None
    limit: int | None = None
    reverse: bool = False
    event_types: frozenset[str] | None = None
    actor_id: str | None = None
    correlation_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def filters(self) -> bool:
        """Whether anything but positions and the limit selects."""
        return replace(self, after=None, before=None, limit=None, reverse=False) != EVERYTHING

    @property
    def nothing(self) -> bool:
        """Whether nothing can be selected: a limit of 0, or no event types to choose from."""
        return self.limit == 0 or self.event_types == frozenset()

    def matches(self, event: Event) -> bool:
        """Tell whether ``event`` passes the filters (positions and limit are not looked at)."""
        return (
            (self.event_types is None or event.event_type in self.event_types)
            and (self.actor_id is None or event.actor_id == self.actor_id)
            and (self.correlation_id is None or event.correlation_id == self.correlation_id)
            and (self.since is None or event.timestamp >= self.since)
            and (self.until is None or event.timestamp <= self.until)
        )


EVERYTHING: Final = Selection()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorQuery:
    """Which actors to list, in which order; see EventStore.get_actors()."""

    search: str = ""
    order_by: str = "actor_id"
    limit: int = 100
    cursor: str | None = None
    time_limit: float | None = None

    @property
    def name(self) -> str:
        """What orders: one of ``ACTOR_ORDERINGS``."""
        return self.order_by.removeprefix("-")

    @property
    def descending(self) -> bool:
        """Whether the order is descending."""
        return self.order_by.startswith("-")

    @property
    def after(self) -> tuple[Any, str] | None:
        """Behind which (value that orders, actor id) the page begins; None: it is the first.

        Raises:
            InvalidEventError: ``cursor`` is none, or one of a listing in another order.
        """
        return None if self.cursor is None else read_cursor(self.cursor, self.order_by)


def make_cursor(order_by: str, value: Any, actor_id: str) -> str:
    """Return the cursor of a listing's next page: behind ``actor_id``, which sorts by ``value``."""
    return base64.urlsafe_b64encode(orjson.dumps([order_by, value, actor_id])).decode()


def read_cursor(cursor: str, order_by: str) -> tuple[Any, str]:
    """Return (value, actor_id) of a cursor that make_cursor() made for the same ``order_by``.

    A value that was a datetime comes back as one.

    Raises:
        InvalidEventError: it is no cursor, or one of a listing in another order.
    """
    try:
        made_for, value, actor_id = orjson.loads(base64.urlsafe_b64decode(cursor.encode()))
        if made_for != order_by:
            raise ValueError(f"made for the order {made_for!r}")
        check_text("actor_id", actor_id)
        if order_by.endswith("_timestamp"):
            value = datetime.fromisoformat(value)
        elif order_by.endswith("actor_id"):
            check_text("actor_id", value)
        else:
            check_integer("value", value, minimum=0)
    except (ValueError, TypeError) as error:
        raise InvalidEventError(
            "cursor", f"{cursor[:60]!r} is not the next_cursor of a page in the order {order_by!r}."
        ) from error
    return value, actor_id


@dataclass(frozen=True, slots=True)
class ActorSummary:
    """An actor, in a listing.

    Attributes:
        actor_id: its id.
        latest_version: the version of its newest event.
        event_count: how many events it has.
        first_timestamp: the timestamp of its first event (by version).
        last_timestamp: the timestamp of its newest event (by version).
        last_position: the position of its newest event.

    A store may leave out (None) what it cannot tell without reading the actor's events; it
    says so in ``actor_orderings`` and its documentation.
    """

    actor_id: str
    latest_version: int
    event_count: int | None = None
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    last_position: int | None = None


@dataclass(frozen=True, slots=True)
class ActorPage:
    """One page of a listing; iterates over its actors.

    Attributes:
        actors: the actors, in the order asked for.
        next_cursor: give it to ``get_actors(cursor=...)`` for the next page; None on the last.
        coverage: less than 1.0 if the time limit ended the looking: the share of the store that
            was looked through. In the order of ids some may then be missing on this page too: the
            same question goes on, for the store keeps what it found. In other orders
            ``next_cursor`` goes on from there.
    """

    actors: list[ActorSummary] = field(default_factory=list)
    next_cursor: str | None = None
    coverage: float = 1.0

    def __iter__(self) -> Iterator[ActorSummary]:
        return iter(self.actors)

    def __len__(self) -> int:
        return len(self.actors)

    def __getitem__(self, index: int) -> ActorSummary:
        return self.actors[index]


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """How much a store holds, in one namespace.

    Attributes:
        event_count: how many events.
        actor_count: how many actors; None where the store cannot tell cheaply.
        estimated: whether the numbers are estimates, because counting would be slow.
        details: further figures of the backend's own, for people: names to numbers.
    """

    event_count: int
    actor_count: int | None = None
    estimated: bool = False
    details: Mapping[str, int] = field(default_factory=dict)


class CachedVersion(NamedTuple):
    """What a version cache says of an actor, beside the truth.

    ``writer`` is the process that made the entry, "host:process id"; empty where that is unknown.
    """

    actor_id: str
    cached: int
    actual: int
    cached_appends: int
    actual_appends: int
    writer: str

    @property
    def stale(self) -> bool:
        """Whether the cache is behind, or wrong."""
        return (self.cached, self.cached_appends) != (self.actual, self.actual_appends)


@dataclass(slots=True)
class CacheCounters:
    """What a version cache did in this process.

    Attributes:
        hits: look-ups that found an entry.
        misses: look-ups that found none.
        stale: entries that were found to be wrong.
    """

    hits: int = 0
    misses: int = 0
    stale: int = 0


class VersionCache(Protocol):
    """What a backend remembers of actors' versions; see ``Backend.version_cache()``.

    Attributes:
        counters: what it did.
        shared: whether every process that uses this store sees the same entries.
    """

    counters: CacheCounters
    shared: bool

    def delete(self, actor_id: str) -> None:
        """Forget the actor."""

    def clear(self) -> None:
        """Forget all actors."""
