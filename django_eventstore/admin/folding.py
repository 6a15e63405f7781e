"""The state of an actor at any version, in bounded time however long its history is."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from ..events.event import Event, Snapshot
from ..events.json import plain
from ..events.results import ReplayError
from ..folds import Fold, fold_for
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
    """Fold an actor that has no registered fold: the last value of each key of ``data``."""
    return {**state, **event.data}


UNREGISTERED: Final = Fold(latest_values, {}, 0)
"""Stands in for a fold that no project registered; 0: no snapshot is of its form."""


def folding(actor_id: str) -> Fold:
    """Return the fold of the actor: the registered one, else UNREGISTERED."""
    return fold_for(actor_id) or UNREGISTERED


@dataclass(frozen=True, slots=True)
class Folded:
    """A state, and how far the fold got.

    Attributes:
        state: what the fold made; anything.
        event: the last event that is in it, None for none.
        before: the state without that event, plain.
        applied: how many events are in it.
        malformed: how many malformed events were met on the way.
        complete: whether the time sufficed for all events asked for.
        failed_on: the event that the fold could not take, None for none.
        failure: what the fold raised on it.
        begins_at: the version of the first event, if what was before it may be gone; else 0.
        base: the version of the snapshot that stands for what is gone, 0 for none.
    """

    state: Any
    event: Event | None = None
    before: Any = None
    applied: int = 0
    malformed: int = 0
    complete: bool = True
    failed_on: Event | None = None
    failure: Exception | None = None
    begins_at: int = 0
    base: int = 0

    @property
    def version(self) -> int:
        """The version of the last event in the state, or of its base; 0 for none."""
        return (self.event.version or 0) if self.event else self.base


@dataclass(slots=True)
class _Remembered:
    by_place: OrderedDict[tuple[Any, ...], Folded] = field(default_factory=OrderedDict)
    sizes: dict[tuple[Any, ...], int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, key: tuple[Any, ...], folded: Folded) -> None:
        try:
            copied = replace(folded, state=deepcopy(folded.state))
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


_remembered = _Remembered()


def beginning(store: EventStore, actor_id: str, fold: Fold, version: int) -> Folded:
    """Return what a fold to ``version`` begins with: the initial state.

    Retention may have removed the beginning of the history. Then it is the oldest usable
    snapshot, which holds what is gone.
    """
    first = next(iter(store.iter_events_with_errors(actor_id, limit=1)), None)
    if not isinstance(first, Event) or (first.version or 0) <= 1:
        return Folded(deepcopy(fold.initial))
    begins_at = first.version or 0
    base = None
    for item in store.iter_snapshots_with_errors(actor_id, max_version=version):
        if isinstance(item, Snapshot) and item.schema_version == fold.schema_version:
            base = item
    if base is None:
        return Folded(deepcopy(fold.initial), begins_at=begins_at)
    return Folded(base.state, begins_at=begins_at, base=base.version)


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
    begin = beginning(store, actor_id, fold, version)
    if last is None or (last.version or 0) <= begin.base:
        return replace(begin, malformed=behind)
    key = (store.alias, store.namespace, actor_id, fold.apply)
    start = _start(store, actor_id, key, (last.version or 1) - 1) or begin
    before = _run(
        store,
        actor_id,
        fold,
        start,
        (last.version or 1) - 1,
        deadline,
        until=last,
        remember=lambda folded: _remembered.keep(key, folded),
    )
    if not before.complete:
        return before
    earlier = plain(before.state)
    folded = before if before.failure else _apply(fold, before, last)
    if folded.failed_on is None:
        return replace(folded, before=earlier, malformed=folded.malformed + behind)
    # The fold may have left its state half changed: fold again, up to the event before.
    whole = fold_to(store, actor_id, fold, (folded.failed_on.version or 1) - 1, deadline)
    return replace(whole, failed_on=folded.failed_on, failure=folded.failure)


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
    start = Folded(deepcopy(snapshot.state), Event(actor_id, "snapshot", version=snapshot.version))
    return _run(store, actor_id, fold, start, version, deadline)


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
    if found is None or found.event is None:
        return None
    at = found.version
    held = store.get_events(actor_id, at, to_version=at, limit=1)
    return found if held and held[0].id == found.event.id else None


def _run(
    store: EventStore,
    actor_id: str,
    fold: Fold,
    start: Folded,
    version: int,
    deadline: Deadline,
    until: Event | None = None,
    remember: Callable[[Folded], None] = lambda folded: None,
) -> Folded:
    folded = start
    if start.version >= version:
        return start
    items = store.iter_events_with_errors(actor_id, start.version + 1, to_version=version)
    with closing(items):  # type: ignore[type-var]
        for item in items:
            if isinstance(item, ReplayError):
                if _stands_between(item, start.event, until):
                    folded = replace(folded, malformed=folded.malformed + 1)
                continue
            # One at least, or slow reading would never get anywhere.
            if folded.applied > start.applied and deadline.passed:
                remember(folded)
                return replace(folded, complete=False)
            folded = _apply(fold, folded, item)
            if folded.failure:
                return folded
            if folded.applied % CHECKPOINT_EVERY == 0:
                remember(folded)
    return folded


def _apply(fold: Fold, folded: Folded, event: Event) -> Folded:
    try:
        state = fold.apply(folded.state, event)
    except Exception as error:  # a project's fold may raise anything; the page says so
        return replace(folded, failed_on=event, failure=error)
    return replace(folded, state=state, event=event, applied=folded.applied + 1)


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
