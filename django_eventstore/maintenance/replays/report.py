"""What running all of history again came to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ...events import Event, ReplayError

_VARYING = re.compile(r"\d+|'[^']*'|\"[^\"]*\"")


@dataclass(slots=True)
class Cause:
    """Events that failed for the same reason.

    Attributes:
        reason: the exception's class and text; what varies in the text is that of the first.
        count: how many.
        first: the first one, as ``{"position": …, "actor_id": …}``.
    """

    reason: str
    first: dict[str, Any]
    count: int = 0


@dataclass(slots=True)
class ReplayAllReport:
    """How far the work has come.

    Attributes:
        events: how many events were handled or folded.
        actors: how many actors were folded.
        without_fold: how many actors have no registered fold.
        skipped: how many malformed events were passed over, because somebody marked them as
            skipped.
        malformed: malformed events, by cause.
        failed: events that the handler raised for, by cause.
        differences: actors whose states differ.
    """

    events: int = 0
    actors: int = 0
    without_fold: int = 0
    skipped: int = 0
    malformed: dict[str, Cause] = field(default_factory=dict)
    failed: dict[str, Cause] = field(default_factory=dict)
    differences: int = 0

    def add_malformed(self, error: ReplayError) -> None:
        """Count an event that cannot be read."""
        if error.skipped is None:
            _count(self.malformed, error.error, error)
        else:
            self.skipped += 1

    def add_failed(self, event: Event, error: Exception) -> None:
        """Count an event that the handler raised for."""
        _count(self.failed, error, event)


def _count(causes: dict[str, Cause], error: Exception, item: Event | ReplayError) -> None:
    reason = f"{type(error).__name__}: {error}"
    # Positions, ids and values vary between events that fail for one reason.
    key = _VARYING.sub("…", reason)
    first = {"position": item.position, "actor_id": item.actor_id}
    causes.setdefault(key, Cause(reason, first)).count += 1
