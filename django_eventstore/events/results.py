"""What reading gives back when some of it is malformed, and folding events to a state."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .event import Event, Snapshot

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class ReplayError:
    """A stored event (or snapshot) that cannot be read.

    Attributes:
        position: its place in the store (int), or None where the store cannot tell.
        raw: what is stored, as bytes or text, untouched.
        error: why it cannot be read.
        actor_id: whose history it stands in, where that can be told.
        skipped: why a person marked it as skipped (see ``skips.py``); None: it is not.
    """

    position: int | None
    raw: bytes | str
    error: Exception
    actor_id: str | None = None
    skipped: str | None = None

    def __str__(self) -> str:
        whose = "" if self.actor_id is None else f" of actor {self.actor_id!r}"
        return f"Malformed event at position {self.position}{whose}: {self.error}"


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What ``get_events_with_errors()`` found; nothing is left out.

    Attributes:
        events: the events that could be read, in the order asked for.
        errors: one ReplayError for each that could not.
    """

    events: list[Event] = field(default_factory=list)
    errors: list[ReplayError] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Replayed(Generic[State]):
    """An actor's state, folded from its events.

    Attributes:
        state: what the fold made.
        version: the version of the last event or snapshot that the state holds; 0 for none.
        events_applied: how many events were folded (int).
        errors: malformed events that were met, and are not in the state.
        skipped: malformed events that somebody marked as skipped; not in the state either.
        snapshot_version: the version of the snapshot that the fold started at; 0 for none.
        skipped_snapshots: snapshots that could not be used: malformed, or of another
            ``schema_version``.
    """

    state: State
    version: int
    events_applied: int
    errors: list[ReplayError] = field(default_factory=list)
    snapshot_version: int = 0
    skipped_snapshots: list[ReplayError] = field(default_factory=list)
    skipped: list[ReplayError] = field(default_factory=list)


class _Fold(Generic[State]):
    def __init__(
        self,
        apply: Callable[[State, Event], State],
        initial: State,
        snapshot: Snapshot | None,
        skipped_snapshots: Iterable[ReplayError],
    ) -> None:
        self.apply = apply
        self.state: State = deepcopy(initial) if snapshot is None else snapshot.state
        self.start = self.version = 0 if snapshot is None else snapshot.version
        self.applied = 0
        self.errors: list[ReplayError] = []
        self.skipped: list[ReplayError] = []
        self.skipped_snapshots = list(skipped_snapshots)

    def add(self, item: Event | ReplayError) -> None:
        if isinstance(item, ReplayError):
            (self.errors if item.skipped is None else self.skipped).append(item)
            return
        try:
            self.state = self.apply(self.state, item)
        except Exception as error:
            error.add_note(
                f"while applying {item.event_type!r}, version {item.version} of actor "
                f"{item.actor_id!r}, position {item.position}, event id {item.id}"
            )
            raise
        self.version = max(self.version, item.version or 0)
        self.applied += 1

    def replayed(self) -> Replayed[State]:
        return Replayed(
            self.state,
            self.version,
            self.applied,
            self.errors,
            self.start,
            self.skipped_snapshots,
            self.skipped,
        )


def fold(
    items: Iterable[Event | ReplayError],
    apply: Callable[[State, Event], State],
    initial: State,
    *,
    snapshot: Snapshot | None = None,
    skipped_snapshots: Iterable[ReplayError] = (),
) -> Replayed[State]:
    """Fold ``items`` with ``apply(state, event) -> state``.

    Starts at ``snapshot.state`` if a snapshot is given, else at a copy of ``initial`` (a fold
    that changes its state in place does not spoil the caller's object). What ``apply`` raises
    passes through, with a note that names the event.
    """
    folding = _Fold(apply, initial, snapshot, skipped_snapshots)
    for item in items:
        folding.add(item)
    return folding.replayed()


async def afold(
    items: AsyncIterable[Event | ReplayError],
    apply: Callable[[State, Event], State],
    initial: State,
    *,
    snapshot: Snapshot | None = None,
    skipped_snapshots: Iterable[ReplayError] = (),
) -> Replayed[State]:
    """See fold()."""
    folding = _Fold(apply, initial, snapshot, skipped_snapshots)
    async for item in items:
        folding.add(item)
    return folding.replayed()
