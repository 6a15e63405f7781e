"""Events in the memory of this process: for tests, and as the plainest reading of the contract."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from itertools import islice
from operator import attrgetter
from typing import Any, ClassVar

import orjson
from django.core.checks import CheckMessage, Warning  # noqa: A004 - Django's name
from django.core.signals import setting_changed

from ..events import Event, ReplayError, Snapshot
from ..exceptions import DuplicateEventError
from ..store import EventStore
from .base import Backend, StoreOptions, assign_versions
from .values import (
    ActorPage,
    ActorQuery,
    ActorRange,
    ActorSummary,
    NewEvent,
    Placed,
    Selection,
    StoreStatistics,
    make_cursor,
)


@dataclass(frozen=True, slots=True)
class _Row:
    """A stored event; ``data`` is text, so that nobody can change it from outside."""

    event: Event
    data: bytes
    version: int
    position: int

    def to_event(self) -> Event:
        event = self.event
        return replace(
            event,
            data=orjson.loads(self.data),
            version=self.version,
            metadata=dict(event.metadata),
            timestamp=event.timestamp.astimezone(UTC),
            position=self.position,
        )


@dataclass(slots=True)
class _Namespace:
    rows: list[_Row] = field(default_factory=list)  # in position order
    actors: dict[str, list[_Row]] = field(default_factory=dict)  # in version order
    ids: dict[str, _Row] = field(default_factory=dict)
    snapshots: dict[str, dict[int, tuple[Snapshot, bytes]]] = field(default_factory=dict)


class _Memory:
    """What all the stores of one location share, under one lock."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.position = 0
        self.namespaces: dict[str, _Namespace] = defaultdict(_Namespace)


_version = attrgetter("version")
_place = attrgetter("position")

_locations: dict[str, _Memory] = {}
_locations_lock = threading.Lock()


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "EVENT_STORES":
        with _locations_lock:
            _locations.clear()


setting_changed.connect(_forget, dispatch_uid="django_eventstore.backends.memory")


@dataclass(frozen=True, kw_only=True)
class MemoryOptions(StoreOptions):
    """The options of InMemoryEventStore.

    Attributes:
        location: stores of this process with one location share their events. The default is
            the alias; a store made by hand, without an alias, has a memory of its own.
    """

    location: str = ""


class MemoryBackend(Backend):
    """The primitives on lists and dictionaries, under one lock for each location."""

    options_class: ClassVar[type[StoreOptions]] = MemoryOptions
    supports_pruning = True
    supports_processes = False
    options: MemoryOptions

    def __init__(self, alias: str | None, options: StoreOptions) -> None:
        super().__init__(alias, options)
        location = self.options.location or alias
        if location is None:
            self._memory = _Memory()
        else:
            with _locations_lock:
                self._memory = _locations.setdefault(location, _Memory())

    def append(
        self, namespace: str, events: Sequence[NewEvent], expected_version: int | None
    ) -> list[Placed]:
        memory = self._memory
        with memory.lock:
            held = memory.namespaces[namespace]
            heads = {
                actor_id: rows[-1].version
                for actor_id in {new.event.actor_id for new in events}
                if (rows := held.actors.get(actor_id))
            }
            for new in events:
                if new.event.id in held.ids:
                    raise DuplicateEventError(new.event.id, new.event.actor_id)
            versions = assign_versions(events, heads, expected_version)
            placed = []
            for new, version in zip(events, versions, strict=True):
                memory.position += 1
                row = _Row(
                    replace(new.event, data={}, metadata=orjson.loads(new.metadata)),
                    new.data,
                    version,
                    memory.position,
                )
                held.rows.append(row)
                held.actors.setdefault(row.event.actor_id, []).append(row)
                held.ids[row.event.id] = row
                placed.append(Placed(version, memory.position))
            return placed

    def save_snapshot(self, namespace: str, snapshot: Snapshot, state: bytes) -> int | None:
        with self._memory.lock:
            kept = self._memory.namespaces[namespace].snapshots.setdefault(snapshot.actor_id, {})
            kept[snapshot.version] = (replace(snapshot, state=None, position=None), state)
            for version in sorted(kept)[: -self.options.snapshots_kept]:
                del kept[version]
        return None

    def delete_snapshots(
        self, namespace: str, actor_id: str, from_version: int, to_version: int
    ) -> int:
        with self._memory.lock:
            kept = self._memory.namespaces[namespace].snapshots.get(actor_id, {})
            gone = [version for version in kept if from_version <= version <= to_version]
            for version in gone:
                del kept[version]
        return len(gone)

    def prune(self, namespace: str, actor_id: str, to_version: int) -> int:
        with self._memory.lock:
            held = self._memory.namespaces[namespace]
            rows = held.actors.get(actor_id)
            if rows is None:
                return 0
            gone = rows[: min(bisect_right(rows, to_version, key=_version), len(rows) - 1)]
            positions = {row.position for row in gone}
            for row in gone:
                del held.ids[row.event.id]
            held.rows = [row for row in held.rows if row.position not in positions]
            held.actors[actor_id] = rows[len(gone) :]
            return len(gone)

    def latest_version(self, namespace: str, actor_id: str) -> int:
        with self._memory.lock:
            rows = self._memory.namespaces[namespace].actors.get(actor_id)
            return rows[-1].version if rows else 0

    def read_actor(
        self, namespace: str, actor_id: str, selected: ActorRange
    ) -> Iterator[Event | ReplayError]:
        with self._memory.lock:
            rows = self._memory.namespaces[namespace].actors.get(actor_id, [])
            start = bisect_left(rows, selected.from_version, key=_version)
            stop = len(rows)
            if selected.to_version is not None:
                stop = bisect_right(rows, selected.to_version, key=_version)
            rows = rows[start:stop]
        if selected.reverse:
            rows.reverse()
        for row in rows[: selected.limit]:
            yield row.to_event()

    def read_store(self, namespace: str, selected: Selection) -> Iterator[Event | ReplayError]:
        rows = (row for row in self._rows(namespace, selected) if selected.matches(row.event))
        for row in islice(rows, selected.limit):
            yield row.to_event()

    def _rows(self, namespace: str, selected: Selection) -> list[_Row]:
        with self._memory.lock:
            rows = self._memory.namespaces[namespace].rows
            start = 0 if selected.after is None else bisect_right(rows, selected.after, key=_place)
            stop = len(rows)
            if selected.before is not None:
                stop = bisect_left(rows, selected.before, key=_place)
            rows = rows[start:stop]
        if selected.reverse:
            rows.reverse()
        return rows

    def event_at(self, namespace: str, position: int) -> Event | ReplayError | None:
        rows = self._rows(namespace, Selection(after=position - 1, before=position + 1))
        return rows[0].to_event() if rows else None

    def find_events(
        self, namespace: str, event_ids: Sequence[str], actor_ids: Sequence[str] | None
    ) -> dict[str, Event]:
        with self._memory.lock:
            ids = self._memory.namespaces[namespace].ids
            return {
                event_id: ids[event_id].to_event()
                for event_id in event_ids
                if event_id in ids
                and (actor_ids is None or ids[event_id].event.actor_id in actor_ids)
            }

    def count_events(self, namespace: str, selected: Selection) -> int:
        return sum(selected.matches(row.event) for row in self._rows(namespace, selected))

    def list_actors(self, namespace: str, query: ActorQuery) -> ActorPage:
        def rank(actor: ActorSummary) -> tuple[Any, str]:
            return getattr(actor, query.name), actor.actor_id

        with self._memory.lock:
            actors = [
                _summary(actor_id, rows)
                for actor_id, rows in self._memory.namespaces[namespace].actors.items()
                if query.search in actor_id
            ]
        actors.sort(key=rank, reverse=query.descending)
        after = query.after
        if after is not None:
            actors = [
                actor
                for actor in actors
                if (rank(actor) < after if query.descending else rank(actor) > after)
            ]
        page = actors[: query.limit]
        more = len(actors) > query.limit
        return ActorPage(page, make_cursor(query.order_by, *rank(page[-1])) if more else None)

    def actor_summaries(self, namespace: str, actor_ids: Sequence[str]) -> dict[str, ActorSummary]:
        with self._memory.lock:
            actors = self._memory.namespaces[namespace].actors
            return {each: _summary(each, actors[each]) for each in actor_ids if each in actors}

    def read_snapshots(
        self, namespace: str, actor_id: str, max_version: int | None
    ) -> Iterator[Snapshot | ReplayError]:
        with self._memory.lock:
            kept = self._memory.namespaces[namespace].snapshots.get(actor_id, {})
            found = [kept[version] for version in sorted(kept, reverse=True)]
        for snapshot, state in found:
            if max_version is None or snapshot.version <= max_version:
                yield replace(
                    snapshot,
                    state=orjson.loads(state),
                    timestamp=snapshot.timestamp.astimezone(UTC),
                )

    def statistics(self, namespace: str) -> StoreStatistics:
        with self._memory.lock:
            held = self._memory.namespaces[namespace]
            return StoreStatistics(len(held.rows), len(held.actors))

    def check_deployment(self) -> list[CheckMessage]:
        return [
            Warning(
                f"EVENT_STORES[{self.alias!r}] keeps events in the memory of each process: they "
                f"are gone when it ends, and no other process sees them.",
                hint="Use the memory store for tests, and a database or JetStream in production.",
                id="eventstore.W201",
            )
        ]

    def describe(self, namespace: str) -> dict[str, Any]:
        return {"location": self.options.location or self.alias}


class InMemoryEventStore(EventStore):
    """Keeps events in the memory of this process; thread-safe; gone when the process ends.

    ``override_settings(EVENT_STORES=...)`` starts and ends with empty stores.
    """

    backend_class = MemoryBackend


def _summary(actor_id: str, rows: list[_Row]) -> ActorSummary:
    return ActorSummary(
        actor_id,
        rows[-1].version,
        len(rows),
        rows[0].event.timestamp.astimezone(UTC),
        rows[-1].event.timestamp.astimezone(UTC),
        rows[-1].position,
    )
