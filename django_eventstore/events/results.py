"""What reading and replaying give back when some of it is malformed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .event import Event

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class ReplayError:
    """A stored event (or snapshot) that cannot be read.

    Attributes:
        position: its place in the store (int), or None where the store cannot tell.
        raw: what is stored, as bytes or text, untouched.
        error: why it cannot be read.
        actor_id: whose history it stands in, where that can be told.
        skipped: why a person marked it as skipped (see ``store/malformed.py``); None: it is not.
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
