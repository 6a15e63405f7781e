"""From events to a state: which fold makes the state of which actors, and the loop that folds.

A project says once how the events of an actor become a state, and the admin and the management
commands can then show it, compare it with snapshots and make snapshots of it::

    register_fold("permit-", apply, initial={}, schema_version=2)  # in AppConfig.ready()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.core.exceptions import ImproperlyConfigured

from .events import Event, Replayed, ReplayError, Snapshot

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Fold:
    """How events become a state: the arguments that ``EventStore.replay()`` takes.

    Attributes:
        apply: ``apply(state, event) -> state``.
        initial: the state of an actor without events; it is copied before use.
        schema_version: the form of the state; see ``Snapshot.schema_version``.
    """

    apply: Callable[[Any, Event], Any]
    initial: Any
    schema_version: int = 1

    def begin(self) -> Folding[Any]:
        """Return the state before the first event, to add events to."""
        return Folding.start(self.apply, self.initial)


_folds: dict[str, Fold] = {}


def register_fold(
    prefix: str, apply: Callable[[Any, Event], Any], initial: Any, *, schema_version: int = 1
) -> None:
    """Let ``apply`` make the state of every actor whose id starts with ``prefix``.

    Args:
        prefix: the start of the actor ids, as written; the empty text: every actor. Where
            several prefixes fit an actor, the longest one wins.
        apply: ``apply(state, event) -> state``, as ``EventStore.replay()`` takes it. Snapshots
            need a state that is JSON.
        initial: the state of an actor without events.
        schema_version: the form of the state; raise it when ``apply`` changes what it makes.

    Raises:
        ImproperlyConfigured: the prefix has another fold already.
    """
    new = Fold(apply, initial, schema_version)
    if _folds.setdefault(prefix, new) != new:
        raise ImproperlyConfigured(
            f"The actors that start with {prefix!r} have the fold {_folds[prefix].apply!r} "
            f"already; {apply!r} cannot be theirs too. Register a longer prefix for it."
        )


def unregister_fold(prefix: str) -> None:
    """Forget the fold of ``prefix``; a prefix without one is no error."""
    _folds.pop(prefix, None)


def fold_for(actor_id: str) -> Fold | None:
    """Return the fold of the longest registered prefix of ``actor_id``, or None."""
    fitting = [prefix for prefix in _folds if actor_id.startswith(prefix)]
    return _folds[max(fitting, key=len)] if fitting else None


@dataclass(slots=True)
class Folding(Generic[State]):
    """A state, and the loop that makes it: add() it one event after the other.

    Attributes:
        apply: ``apply(state, event) -> state``.
        state: what the events so far have made. ``apply`` may change it in place.
        version: the version of the last event, or of the snapshot, that the state holds.
        snapshot_version: the version of the snapshot that it began with; 0 for none.
        event: the last event in it, None for none.
        applied: how many events were added.
        errors: malformed events that were met, and are not in the state.
        skipped: malformed events that somebody marked as skipped; not in the state either.
        failed_on: the event that attempt() could not add, None for none.
        failure: what ``apply`` raised on it. It may have left the state half changed.
    """

    apply: Callable[[State, Event], State]
    state: State
    version: int = 0
    snapshot_version: int = 0
    event: Event | None = None
    applied: int = 0
    errors: list[ReplayError] = field(default_factory=list)
    skipped: list[ReplayError] = field(default_factory=list)
    failed_on: Event | None = None
    failure: Exception | None = None

    @classmethod
    def start(
        cls,
        apply: Callable[[State, Event], State],
        initial: State,
        snapshot: Snapshot | None = None,
    ) -> Folding[State]:
        """Return the state before the first event: the snapshot's, else a copy of ``initial``.

        A copy, so that an ``apply`` that changes its state in place does not spoil the caller's.
        """
        if snapshot is None:
            return cls(apply, deepcopy(initial))
        return cls(apply, snapshot.state, snapshot.version, snapshot.version)

    def add(self, item: Event | ReplayError) -> None:
        """Bring the next item in; what ``apply`` raises gets a note that names the event."""
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
        self.event = item
        self.version = max(self.version, item.version or 0)
        self.applied += 1

    def result(self, skipped_snapshots: Iterable[ReplayError] = ()) -> Replayed[State]:
        """Return what EventStore.replay() does."""
        return Replayed(
            self.state,
            self.version,
            self.applied,
            self.errors,
            self.snapshot_version,
            list(skipped_snapshots),
            self.skipped,
        )

    def attempt(self, event: Event) -> bool:
        """Add an event and tell whether that went well: after a failure, nothing does."""
        if self.failure is None:
            try:
                self.add(event)
            except Exception as error:  # a project's function may raise anything
                self.failed_on, self.failure = event, error
        return self.failure is None


def fold_events(
    items: Iterable[Event | ReplayError], apply: Callable[[State, Event], State], initial: State
) -> Folding[State]:
    """Fold ``items`` with ``apply(state, event) -> state``, from a copy of ``initial`` on."""
    folding = Folding.start(apply, initial)
    for item in items:
        folding.add(item)
    return folding
