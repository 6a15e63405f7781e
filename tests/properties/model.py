"""What a store promises, as plainly as it can be written: lists, and nothing shared with a store.

Errors are told as (class, attributes), to be compared with `every_store.Refused`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from django_eventstore import (
    DuplicateEventError,
    Event,
    InvalidEventError,
    Snapshot,
    VersionConflictError,
)
from tests.support.every_store import Refused

MUST_EXIST = "must exist"


@dataclass
class Model:
    """One namespace: the log, and the newest `snapshots_kept` snapshots of each actor."""

    log: list[Event] = field(default_factory=list)
    snapshots: dict[str, dict[int, Snapshot]] = field(default_factory=dict)
    snapshots_kept: int = 10

    def of(self, actor_id: str) -> list[Event]:
        return [event for event in self.log if event.actor_id == actor_id]

    def latest(self, actor_id: str) -> int:
        return max((event.version for event in self.of(actor_id)), default=0)

    def save(self, events: list[Event], expected: int | str | None) -> list[Event] | Refused:
        """Save, or say with what error it must be refused; nothing is changed then."""
        ids = [event.id for event in events]
        for index, event in enumerate(events):
            if event.id in ids[:index]:
                return Refused(
                    DuplicateEventError, {"event_id": event.id, "actor_id": event.actor_id}
                )
        if not events:
            return []
        first = events[0]
        if expected is not None and len({event.actor_id for event in events}) > 1:
            return Refused(InvalidEventError, {"field": "expected_version"})
        if expected == MUST_EXIST:
            if self.latest(first.actor_id) == 0:
                return _conflict(first, first.version or 1, None, 0)
            expected = None
        known = {event.id: event for event in self.log}
        for event in events:
            if event.id in known and not _is_again(event, known[event.id]):
                return Refused(
                    DuplicateEventError, {"event_id": event.id, "actor_id": event.actor_id}
                )
        old = [event for event in events if event.id in known]
        if len(old) == len(events):
            return [known[event.id] for event in events]
        if old:
            return Refused(
                DuplicateEventError, {"event_id": old[0].id, "actor_id": old[0].actor_id}
            )
        return self._append(events, expected)

    def _append(self, events: list[Event], expected: int | None) -> list[Event] | Refused:
        heads = {event.actor_id: self.latest(event.actor_id) for event in events}
        new = []
        for event in events:
            at = heads[event.actor_id]
            version = event.version or at + 1
            if expected is not None and self.latest(event.actor_id) != expected:
                return _conflict(event, version, expected, self.latest(event.actor_id))
            if version <= at:
                return _conflict(event, version, expected, at)
            heads[event.actor_id] = version
            new.append(replace(event, version=version, data=json.loads(json.dumps(event.data))))
        self.log += new
        return new

    def read(
        self,
        actor_id: str,
        from_version: int = 0,
        to_version: int | None = None,
        limit: int | None = None,
        reverse: bool = False,
    ) -> list[Event]:
        events = [
            event
            for event in sorted(self.of(actor_id), key=lambda event: event.version)
            if from_version <= event.version and (to_version is None or event.version <= to_version)
        ]
        return (events[::-1] if reverse else events)[:limit]

    def select(
        self,
        events: Iterable[Event],
        *,
        event_types: list[str] | None = None,
        actor_id: str | None = None,
        correlation_id: str | None = None,
        since: object = None,
        until: object = None,
    ) -> list[Event]:
        return [
            event
            for event in events
            if (event_types is None or event.event_type in event_types)
            and (actor_id is None or event.actor_id == actor_id)
            and (correlation_id is None or event.metadata.get("correlation_id") == correlation_id)
            and (since is None or event.timestamp >= since)
            and (until is None or event.timestamp <= until)
        ]

    def save_snapshot(self, snapshot: Snapshot) -> None:
        kept = self.snapshots.setdefault(snapshot.actor_id, {})
        kept[snapshot.version] = snapshot
        for version in sorted(kept)[: -self.snapshots_kept]:
            del kept[version]

    def snapshot(self, actor_id: str, max_version: int | None) -> Snapshot | None:
        kept = self.snapshots.get(actor_id, {})
        fit = [version for version in kept if max_version is None or version <= max_version]
        return kept[max(fit)] if fit else None


def _conflict(event: Event, attempted: int, expected: int | None, current: int) -> Refused:
    return Refused(
        VersionConflictError,
        {
            "actor_id": event.actor_id,
            "attempted_version": attempted,
            "expected_version": expected,
            "current_version": current,
        },
    )


def _is_again(event: Event, stored: Event) -> bool:
    return (
        replace(event, version=event.version or stored.version, metadata=stored.metadata) == stored
        and repr(event.data) == repr(stored.data)
        and event.metadata.items() <= stored.metadata.items()
    )
