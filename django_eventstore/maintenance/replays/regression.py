"""Two folds on one history: would the state be another?"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from ...events.event import Event
from ...events.json import differences, plain
from ...events.results import ReplayError
from ...folds import Fold
from ...store import EventStore


@dataclass(frozen=True, slots=True)
class StateDifference:
    """An actor whose state two folds make differently.

    Attributes:
        actor_id: the actor.
        version: its latest version.
        differences: ``path: value != value``, the first fold's value first.
    """

    actor_id: str
    version: int
    differences: list[str]


def compare_folds(
    store: EventStore, actor_id: str, one: Fold, two: Fold
) -> Iterator[StateDifference | ReplayError | int]:
    """Fold the actor's events with both, without snapshots.

    Yields a ReplayError for each malformed event, a StateDifference if the states differ, and
    at last how many events were folded. A fold that raises makes a state of its own: the
    exception's text.
    """
    states = [_Folding(one), _Folding(two)]
    version = count = 0
    for item in store.iter_events_with_errors(actor_id):
        if isinstance(item, ReplayError):
            yield item
            continue
        version, count = item.version or version, count + 1
        for state in states:
            state.add(item)
    left, right = (plain(state.result) for state in states)
    if found := [str(each) for each in differences(left, right, ("state",))]:
        yield StateDifference(actor_id, version, found)
    yield count


class _Folding:
    def __init__(self, fold: Fold) -> None:
        self.apply = fold.apply
        self.result: Any = deepcopy(fold.initial)
        self.failed = False

    def add(self, event: Event) -> None:
        if self.failed:
            return
        try:
            # A copy: neither fold must see what the other does to an event.
            self.result = self.apply(self.result, deepcopy(event))
        except Exception as error:
            self.failed = True
            self.result = f"raised {type(error).__name__}: {error}, at version {event.version}"
