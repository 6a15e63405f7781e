"""The state of an actor at any version, in bounded time however long its history is."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from ..events import Event, ReplayError, Snapshot
from ..events.json import plain
from ..folds import Fold, Folding, fold_for
from ..store import EventStore
from .limits import Deadline, scan

CHECKPOINT_EVERY: Final = 1000
"""After how many events a state is remembered."""

CHECKPOINTS_KEPT: Final = 256
"""How many states this process remembers, of all actors together."""

BYTES_KEPT: Final = 64_000_000
"""How large these are together at the most, as JSON; but the last one is always kept."""


MALFORMED_COUNTED: Final = 10_000
"""How many malformed events in a row are counted."""


def latest_values(state: dict[str, Any], event: Event) -> dict[str, Any]:
    """Apply an event where no fold is registered: the last value of each key of ``data``."""
    return {**state, **event.data}


UNREGISTERED: Final = Fold(latest_values, {}, 0)
"""Stands in for a fold that no project registered; 0: no snapshot is of its form."""


def fold_of(actor_id: str) -> Fold:
    """Return the fold of the actor: the registered one, else UNREGISTERED."""
    return fold_for(actor_id) or UNREGISTERED


@dataclass(slots=True)
class Folded(Folding[Any]):
    """The state of an actor, made within the time that a page has.

    Attributes:
        before: the state without the last event, plain.
        malformed: how many malformed events were met on the way; they are only counted.
        complete: whether the time sufficed for all events asked for.
        begins_at: the version of the first event, if what was before it may be gone; else 0.
        base: the version of the snapshot that stands for what is gone, 0 for none.
    """

    before: Any = None
    malformed: int = 0
    complete: bool = True
    begins_at: int = 0
    base: int = 0

    def is_held(self, store: EventStore, actor_id: str) -> bool:
        """Tell whether the store still has the last event."""
        held = store.get_events(actor_id, self.version, to_version=self.version, limit=1)
        return self.event is not None and [event.id for event in held] == [self.event.id]

    def read(
        self,
        store: EventStore,
        actor_id: str,
        version: int | None,
        deadline: Deadline,
        until: Event | None = None,
    ) -> Iterator[Event]:
        """Go on to ``version``, None for the latest, and yield each event once it is folded.

        Ends before an event that the fold fails on, and where the time is over; a state that
        has ended so stays there. ``until`` is the next event behind ``version``.
        """
        if not self.complete or self.failure or (version is not None and self.version >= version):
            return
        begin, applied = self.event, self.applied
        items = store.iter_events_with_errors(actor_id, self.version + 1, to_version=version)
        with closing(items):  # type: ignore[type-var]
            for item in items:
                if isinstance(item, ReplayError):
                    self.malformed += _stands_between(item, begin, until)
                # One at least, or slow reading would never get anywhere.
                elif self.applied > applied and deadline.passed:
                    self.complete = False
                    return
                elif self.attempt(item):
                    yield item
                else:
                    return


@dataclass(slots=True)
class _RememberedStates:
    by_place: OrderedDict[tuple[Any, ...], Folded] = field(default_factory=OrderedDict)
    sizes: dict[tuple[Any, ...], int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, key: tuple[Any, ...], folded: Folded) -> None:
        try:
            copied = replace(folded, state=deepcopy(folded.state), complete=True)
        except Exception:  # a state may hold what cannot be copied: then it is folded each time
            return
        size = len(json.dumps(plain(folded.state)))
        place = (*key, folded.version)
        with self.lock:
            self.by_place[place] = copied
            self.by_place.move_to_end(place)
            self.sizes[place] = size
            while len(self.by_place) > 1 and self._is_full():
                oldest, _folded = self.by_place.popitem(last=False)
                del self.sizes[oldest]

    def _is_full(self) -> bool:
        return len(self.by_place) > CHECKPOINTS_KEPT or sum(self.sizes.values()) > BYTES_KEPT

    def nearest(self, key: tuple[Any, ...], version: int) -> Folded | None:
        """Return the newest state of ``key`` at or below ``version``."""
        with self.lock:
            fitting = [
                place for place in self.by_place if place[:-1] == key and place[-1] <= version
            ]
            if not fitting:
                return None
            place = max(fitting, key=lambda place: int(place[-1]))
            self.by_place.move_to_end(place)
            folded = self.by_place[place]
            return replace(folded, state=deepcopy(folded.state))


_remembered = _RememberedStates()


def beginning(store: EventStore, actor_id: str, fold: Fold, version: int) -> Folded:
    """Return what a fold to ``version`` begins with: the initial state.

    Retention may have removed the beginning of the history. Then it is the oldest usable
    snapshot, which holds what is gone.
    """
    begin = Folded(fold.apply, deepcopy(fold.initial))
    first = next(iter(store.iter_events_with_errors(actor_id, limit=1)), None)
    if isinstance(first, Event) and (first.version or 0) > 1:
        begin.begins_at = first.version or 0
        for item in store.iter_snapshots_with_errors(actor_id, max_version=version):
            if isinstance(item, Snapshot) and item.schema_version == fold.schema_version:
                begin.state, begin.version, begin.base = item.state, item.version, item.version
    return begin


def fold_to(
    store: EventStore, actor_id: str, fold: Fold, version: int, deadline: Deadline
) -> Folded:
    """Return the state at ``version``: every event up to it, folded, no snapshot used that is not
    needed (see beginning()).

    States on the way are remembered, so that a fold that ran out of time goes on from there
    when it is asked for again.
    """
    last = next(iter(store.get_events(actor_id, to_version=version, limit=1, reverse=True)), None)
    behind = _malformed_behind(store, actor_id, last, version, deadline)
    folded = beginning(store, actor_id, fold, version)
    if last is None or (last.version or 0) <= folded.base:
        folded.malformed = behind
        return folded
    key = (store.alias, store.namespace, actor_id, fold.apply)
    before_last = (last.version or 1) - 1
    folded = _start(store, actor_id, key, before_last) or folded
    for _event in folded.read(store, actor_id, before_last, deadline, until=last):
        if folded.applied % CHECKPOINT_EVERY == 0:
            _remembered.keep(key, folded)
    if not folded.complete:
        _remembered.keep(key, folded)
        return folded
    folded.before = plain(folded.state)
    folded.attempt(last)
    if folded.failed_on is None:
        folded.malformed += behind
        return folded
    # The fold may have left its state half changed: fold again, up to the event before.
    whole = fold_to(store, actor_id, fold, (folded.failed_on.version or 1) - 1, deadline)
    whole.failed_on, whole.failure = folded.failed_on, folded.failure
    return whole


def _malformed_behind(
    store: EventStore, actor_id: str, last: Event | None, version: int, deadline: Deadline
) -> int:
    """Count the malformed events between the last readable one, up to ``version``, and that."""
    at = (last.version or 0) if last else 0
    following = next(iter(store.get_events(actor_id, at + 1, limit=1)), None)
    if at == version and following is not None:
        return 0

    def behind(item: Event | ReplayError) -> bool:
        return isinstance(item, ReplayError) and _stands_between(item, last, following)

    items = store.iter_events_with_errors(actor_id, at, to_version=version)
    found = scan(items, behind, deadline, wanted=MALFORMED_COUNTED)
    return len(found.found)


def _stands_between(error: ReplayError, before: Event | None, behind: Event | None) -> bool:
    """Tell whether a malformed event stands between two events; None is an end of the history.

    A store that cannot tell its version yields it with any range of versions near by.
    """
    position = error.position
    if position is None:
        return True
    return not (
        (before is not None and before.position is not None and position < before.position)
        or (behind is not None and behind.position is not None and position > behind.position)
    )


def fold_from_snapshot(
    store: EventStore,
    actor_id: str,
    fold: Fold,
    snapshot: Snapshot,
    version: int,
    deadline: Deadline,
) -> Folded:
    """Return the state at ``version``, from a snapshot and the events since."""
    folded = Folded(fold.apply, deepcopy(snapshot.state), snapshot.version)
    for _event in folded.read(store, actor_id, version, deadline):
        pass
    return folded


def usable_snapshot(
    store: EventStore, actor_id: str, fold: Fold, version: int
) -> Snapshot | ReplayError | None:
    """Return the snapshot that a replay to ``version`` starts at; an unusable one if no other."""
    unusable = None
    for item in store.iter_snapshots_with_errors(actor_id, max_version=version):
        if isinstance(item, Snapshot) and item.schema_version == fold.schema_version:
            return item
        unusable = unusable or item
    return unusable


def _start(store: EventStore, actor_id: str, key: tuple[Any, ...], version: int) -> Folded | None:
    """Return a remembered state whose last event the store still has."""
    found = _remembered.nearest(key, version)
    return found if found is not None and found.is_held(store, actor_id) else None


def version_at(store: EventStore, actor_id: str, latest: int, moment: datetime) -> int:
    """Return the version of the last event at or before ``moment``, 0 if none was.

    Halves the range of versions, so it reads few events of a long history; it goes by the
    timestamps growing with the versions.
    """
    low, high, found = 1, latest, 0
    while low <= high:
        middle = (low + high) // 2
        event = next(iter(store.get_events(actor_id, middle, to_version=high, limit=1)), None)
        if event is None:
            high = middle - 1
        elif event.timestamp <= moment:
            found = event.version or 0
            low = found + 1
        else:
            high = middle - 1
    return found
