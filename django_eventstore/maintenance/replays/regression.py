"""Two folds on one history: would the state be another?"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from ...events import ReplayError
from ...events.json import differences, plain
from ...folds import Fold, Folding
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
    foldings = [one.begin(), two.begin()]
    version = count = 0
    for item in store.iter_events_with_errors(actor_id):
        if isinstance(item, ReplayError):
            yield item
            continue
        version, count = item.version or version, count + 1
        for folding in foldings:
            # A copy: neither fold must see what the other does to an event.
            folding.attempt(deepcopy(item))
    left, right = (plain(_result(folding)) for folding in foldings)
    if found := [str(each) for each in differences(left, right, ("state",))]:
        yield StateDifference(actor_id, version, found)
    yield count


def _result(folding: Folding[Any]) -> Any:
    if folding.failed_on is None:
        return folding.state
    kind = type(folding.failure).__name__
    return f"raised {kind}: {folding.failure}, at version {folding.failed_on.version}"
