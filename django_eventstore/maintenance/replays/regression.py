"""Two folds on one history: would the state be another?"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from ...events import ReplayError
from ...events.json import differences, plain
from ...folds import Fold, Folding
from ...store import EventStore
from .report import ReplayAllReport


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
    store: EventStore, actor_id: str, one: Fold, two: Fold, report: ReplayAllReport
) -> StateDifference | None:
    """Fold the actor's events with both, without snapshots; return how the states differ.

    A fold that raises makes a state of its own: the exception's text.

    Args:
        report: where events, malformed ones and the difference are counted.
    """
    foldings = [one.begin(), two.begin()]
    version = 0
    for item in store.iter_events_with_errors(actor_id):
        if isinstance(item, ReplayError):
            report.add_malformed(item)
            continue
        version = item.version or version
        report.events += 1
        for folding in foldings:
            # A copy: neither fold must see what the other does to an event.
            folding.attempt(deepcopy(item))
    left, right = (plain(_result(folding)) for folding in foldings)
    found = [str(each) for each in differences(left, right, ("state",))]
    report.differences += bool(found)
    return StateDifference(actor_id, version, found) if found else None


def _result(folding: Folding[Any]) -> Any:
    if folding.failed_on is None:
        return folding.state
    kind = type(folding.failure).__name__
    return f"raised {kind}: {folding.failure}, at version {folding.failed_on.version}"
