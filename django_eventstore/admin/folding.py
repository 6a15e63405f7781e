"""The state of an actor at any version, in bounded time however long its history is."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, Final, Self, TypeVar, cast

from ..events import Event, ReplayError, Snapshot
from ..events.json import plain
from ..folds import Fold, Folding, fold_for
from ..store import EventStore
from .scanning import Deadline, scan
from .versions import first_event, last_event

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
class BoundedFolding(Folding[Any]):
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

    def copied(self) -> Self:
        """Return a copy to go on with, while this one is still shown."""
        return replace(self, state=deepcopy(self.state), complete=True)

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(json.dumps(plain(self.state)))

    def is_held(self, store: EventStore, actor_id: str) -> bool:
        """Tell whether the store still has the last event."""
        held = first_event(store, actor_id, self.version, self.version)
        return held is not None and self.event is not None and held.id == self.event.id

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


Bounded = TypeVar("Bounded", bound=BoundedFolding)

_remembered: OrderedDict[tuple[Any, ...], tuple[BoundedFolding, int]] = OrderedDict()
_lock = threading.Lock()


def remember(store: EventStore, actor_id: str, folding: BoundedFolding) -> None:
    """Remember a copy of what was folded: a later page goes on from there."""
    try:
        copied = folding.copied()
    except Exception:  # a state may hold what cannot be copied: then it is folded each time
        return
    history = (type(folding), store.alias, store.namespace, actor_id, folding.apply)
    held = (copied, folding.size)
    with _lock:
        _remembered[*history, folding.version] = held
        _remembered.move_to_end((*history, folding.version))
        while len(_remembered) > 1 and (
            len(_remembered) > CHECKPOINTS_KEPT
            or sum(size for _copied, size in _remembered.values()) > BYTES_KEPT
        ):
            _remembered.popitem(last=False)


def remembered(
    kind: type[Bounded], store: EventStore, actor_id: str, fold: Fold, version: int
) -> Bounded | None:
    """Return what is remembered that is nearest to ``version`` and not beyond it.

    Only if the store still has its last event: another history may have the same name.
    """
    history = (kind, store.alias, store.namespace, actor_id, fold.apply)
    with _lock:
        fitting = [place for place in _remembered if place[:-1] == history and place[-1] <= version]
        if not fitting:
            return None
        place = max(fitting, key=itemgetter(-1))
        _remembered.move_to_end(place)
        found = cast("Bounded", _remembered[place][0].copied())
    return found if found.is_held(store, actor_id) else None


def beginning(
    store: EventStore, actor_id: str, fold: Fold, version: int, kind: type[Bounded]
) -> Bounded:
    """Return what a fold to ``version`` begins with: the initial state.

    Retention may have removed the beginning of the history. Then it is the oldest usable
    snapshot, which holds what is gone.
    """
    begin = kind(fold.apply, deepcopy(fold.initial))
    first = next(iter(store.iter_events_with_errors(actor_id, limit=1)), None)
    if isinstance(first, Event) and (first.version or 0) > 1:
        begin.begins_at = first.version or 0
        for item in store.iter_snapshots_with_errors(actor_id, max_version=version):
            if isinstance(item, Snapshot) and item.schema_version == fold.schema_version:
                begin.state, begin.version, begin.base = item.state, item.version, item.version
    return begin


def fold_to(
    store: EventStore, actor_id: str, fold: Fold, version: int, deadline: Deadline
) -> BoundedFolding:
    """Return the state at ``version``: every event up to it, folded, no snapshot used that is not
    needed (see beginning()).

    States on the way are remembered, so that a fold that ran out of time goes on from there
    when it is asked for again.
    """
    last = last_event(store, actor_id, version)
    behind = _malformed_behind(store, actor_id, last, version, deadline)
    folded = beginning(store, actor_id, fold, version, BoundedFolding)
    if last is None or (last.version or 0) <= folded.base:
        folded.malformed = behind
        return folded
    before_last = (last.version or 1) - 1
    folded = remembered(BoundedFolding, store, actor_id, fold, before_last) or folded
    for _event in folded.read(store, actor_id, before_last, deadline, until=last):
        if folded.applied % CHECKPOINT_EVERY == 0:
            remember(store, actor_id, folded)
    if not folded.complete:
        remember(store, actor_id, folded)
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
    following = first_event(store, actor_id, at + 1)
    if at == version and following is not None:
        return 0

    def behind(item: Event | ReplayError) -> ReplayError | None:
        if isinstance(item, ReplayError) and _stands_between(item, last, following):
            return item
        return None

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
