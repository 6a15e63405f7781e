"""EventStore: the facade, the same for every backend.

It validates, merges metadata, settles retries, sends signals, and leaves storing to the
primitives of ``backends/base.py``. Each method has an asynchronous twin, named with an ``a``
in front, which says and does the same.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import random
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from inspect import isawaitable
from typing import Any, Self, TypeVar, Unpack

import orjson
from asgiref.sync import sync_to_async
from django.dispatch import Signal

from . import subscriptions
from .arguments import (
    MUST_EXIST,
    Bounds,
    Decided,
    Expect,
    Filters,
    Reading,
    actor_range,
    as_list,
    check_exists,
    check_expected,
    check_listing,
    check_upto,
    decided_for,
    lookup,
    new_events,
    new_snapshot,
    selection,
    snapshot_range,
)
from .backends.base import (
    ActorPage,
    ActorRange,
    Backend,
    NewEvent,
    Placed,
    Selection,
    StoreStatistics,
)
from .events import Event, Snapshot, made_event, same_event
from .exceptions import (
    DuplicateEventError,
    InvalidEventError,
    UnsupportedOperation,
    VersionConflictError,
)
from .metadata import acurrent_event_metadata, current_event_metadata
from .namespaces import check_namespace
from .observability import aobserve_items, observe, observe_items, retried
from .replay import Replayed, ReplayError, ReplayResult, afold, fold
from .signals import event_saved, malformed_event_found
from .skips import SkipReasons
from .subscriptions import Stop
from .upcasting import aupcast, upcast, upcast_item
from .validation import check_integer, check_text

__all__ = ["MUST_EXIST", "EventStore"]

logger = logging.getLogger("django_eventstore")

State = TypeVar("State")


class EventStore(Backend):
    """An append-only history per actor, with versions and optimistic concurrency.

    Get one from ``event_stores["alias"]`` (or use ``event_store``, the default one). A store
    object is cheap and belongs to one thread or task; what several share (connections, data in
    memory, the version cache) is kept per process and is safe to share.

    Args:
        alias: the name in ``EVENT_STORES``, or None for a store made by hand.
        namespace: text, or a callable without arguments that returns it, called for each
            operation.
        **options: the fields of the backend's ``options_class``.

    Raises:
        ImproperlyConfigured: an option is unknown or wrong.
    """

    def __init__(
        self,
        alias: str | None = None,
        *,
        namespace: str | Callable[[], str] = "",
        **options: Any,
    ) -> None:
        self.alias = alias
        self._namespace = namespace if callable(namespace) else check_namespace(namespace)
        self.options = self.options_class.from_mapping(
            options, where=f"EVENT_STORES[{alias!r}]" if alias else type(self).__name__
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.alias or 'unnamed'!r}>"

    @property
    def namespace(self) -> str:
        """The namespace that an operation started now would work in."""
        if callable(self._namespace):
            return check_namespace(self._namespace())
        return self._namespace

    def with_namespace(self, name: str) -> Self:
        """Return the same store in the namespace ``name``, on the same connection.

        Raises:
            InvalidEventError: ``name`` is no namespace.
        """
        other = copy.copy(self)
        other._namespace = check_namespace(name)
        return other

    def _pinned(self) -> Self:
        """Return this store in the namespace of now, for an operation of several steps."""
        return self.with_namespace(self.namespace) if callable(self._namespace) else self

    # -- saving

    def save_event(self, event: Event, *, expected_version: int | Expect | None = None) -> Event:
        """Store ``event`` and return it as stored, with version and position.

        An event without a version gets the actor's next one; a given version must be above the
        latest. With ``expected_version`` the actor must be exactly there (0: must not exist).
        Saving an event again (same id, same content) returns the stored one.

        Raises:
            InvalidEventError: a field is wrong; nothing was written.
            VersionConflictError: another writer was first.
            DuplicateEventError: the id is taken by an event with other content.
            EventTooLargeError: it is larger than the store takes.
            StoreUnavailableError: no answer from the store; ``outcome_unknown`` says whether it
                may be stored all the same.
        """
        return self.save_events((event,), expected_version=expected_version)[0]

    async def asave_event(
        self, event: Event, *, expected_version: int | Expect | None = None
    ) -> Event:
        """See save_event()."""
        return (await self.asave_events((event,), expected_version=expected_version))[0]

    def save_events(
        self, events: Iterable[Event], *, expected_version: int | Expect | None = None
    ) -> list[Event]:
        """Store ``events``, all or none, in order; return them as stored.

        They may belong to several actors where the backend can do that
        (``supports_multi_actor_append``); ``expected_version`` goes with one actor only. No
        events: nothing happens.

        Raises:
            UnsupportedOperation: events of several actors, and the server cannot append those
                all or none.
            InvalidEventError, VersionConflictError, DuplicateEventError, EventTooLargeError,
            StoreUnavailableError: see save_event().
        """
        namespace = self.namespace
        with observe(self, "save", namespace) as operation:
            given = as_list(events)
            new = self._prepare(given, expected_version, current_event_metadata())
            if not new:
                return []
            for event, *_ in new:
                operation.add(event)
            if isinstance(expected_version, Expect):
                check_exists(given[0], self._latest_version(namespace, given[0].actor_id))
                expected_version = None
            try:
                placed = self._append(namespace, new, expected_version)
            except (VersionConflictError, DuplicateEventError) as error:
                if self.looks_for_ids_first and isinstance(error, VersionConflictError):
                    raise
                stored = self._find_events(namespace, *_ids(given))
                operation.outcome = "repeated"
                return _settle(given, stored, error)
        saved = _saved(new, placed)
        if event_saved.receivers and event_saved.has_listeners(type(self)):
            self._on_commit(lambda: self._announce(namespace, saved))
        return saved

    async def asave_events(
        self, events: Iterable[Event], *, expected_version: int | Expect | None = None
    ) -> list[Event]:
        """See save_events()."""
        namespace = self.namespace
        with observe(self, "save", namespace) as operation:
            given = as_list(events)
            new = self._prepare(given, expected_version, await acurrent_event_metadata())
            if not new:
                return []
            for event, *_ in new:
                operation.add(event)
            if isinstance(expected_version, Expect):
                check_exists(given[0], await self._alatest_version(namespace, given[0].actor_id))
                expected_version = None
            try:
                placed = await self._aappend(namespace, new, expected_version)
            except (VersionConflictError, DuplicateEventError) as error:
                if self.looks_for_ids_first and isinstance(error, VersionConflictError):
                    raise
                stored = await self._afind_events(namespace, *_ids(given))
                operation.outcome = "repeated"
                return _settle(given, stored, error)
        saved = _saved(new, placed)
        if event_saved.receivers and event_saved.has_listeners(type(self)):
            # In a thread: receivers are synchronous, and may use the database.
            await sync_to_async(self._on_commit)(lambda: self._announce(namespace, saved))
        return saved

    def update(
        self,
        actor_id: str,
        decide: Callable[[State], Decided],
        apply: Callable[[State, Event], State],
        initial: State,
        retries: int = 3,
        *,
        expected_version: int | None = None,
        schema_version: int = 1,
    ) -> list[Event]:
        """Load the actor's state, let ``decide`` make events of it, and save them there.

        The events are saved at the version that ``decide`` saw. On a conflict the events since
        are folded onto the state, and ``decide`` is asked again, ``retries`` times at the most,
        with a short random pause. Other errors, what ``decide`` raises, and conflicts of events
        or calls that name a version themselves are not retried.

        Args:
            actor_id: the actor.
            decide: state -> an event of this actor, several, or none (None or an empty list).
            apply: (state, event) -> state, as in replay().
            initial: the state of an actor without events.
            retries: how often to decide again after a conflict, 0 or more.
            expected_version: save at this version instead of the one seen; not retried.
            schema_version: see replay().

        Returns:
            The stored events.

        Raises:
            VersionConflictError: still in conflict after the last try.
        """
        check_integer("retries", retries, minimum=0)
        store = self._pinned()
        seen, expected = store._load(actor_id, apply, initial, schema_version)
        while True:
            events = decided_for(actor_id, decide(copy.deepcopy(seen.state)))
            try:
                return store.save_events(
                    events,
                    expected_version=expected if expected_version is None else expected_version,
                )
            except VersionConflictError as error:
                if retries == 0 or expected_version is not None or _name_versions(events):
                    raise
                retried(store, store.namespace, actor_id, error)
            retries -= 1
            time.sleep(_pause())
            seen, expected = store._load(actor_id, apply, initial, schema_version, seen)

    async def aupdate(
        self,
        actor_id: str,
        decide: Callable[[State], Decided | Awaitable[Decided]],
        apply: Callable[[State, Event], State],
        initial: State,
        retries: int = 3,
        *,
        expected_version: int | None = None,
        schema_version: int = 1,
    ) -> list[Event]:
        """See update(); ``decide`` may be asynchronous."""
        check_integer("retries", retries, minimum=0)
        store = self._pinned()
        seen, expected = await store._aload(actor_id, apply, initial, schema_version)
        while True:
            answer = decide(copy.deepcopy(seen.state))
            events = decided_for(actor_id, await answer if isawaitable(answer) else answer)
            try:
                return await store.asave_events(
                    events,
                    expected_version=expected if expected_version is None else expected_version,
                )
            except VersionConflictError as error:
                if retries == 0 or expected_version is not None or _name_versions(events):
                    raise
                retried(store, store.namespace, actor_id, error)
            retries -= 1
            await asyncio.sleep(_pause())
            seen, expected = await store._aload(actor_id, apply, initial, schema_version, seen)

    def _load(
        self,
        actor_id: str,
        apply: Callable[[State, Event], State],
        initial: State,
        schema_version: int,
        seen: Replayed[State] | None = None,
    ) -> tuple[Replayed[State], int]:
        """Return the actor's state, going on from ``seen`` if given, and its latest version."""

        def load() -> Replayed[State]:
            if seen is None:
                return self.replay(actor_id, apply, initial, schema_version=schema_version)
            tail = self._items(self.namespace, actor_id, ActorRange(from_version=seen.version + 1))
            return fold(tail, apply, initial, snapshot=_as_snapshot(actor_id, seen))

        replayed = load()
        if not (replayed.errors or replayed.skipped):
            return replayed, replayed.version
        # The newest event may be malformed, and then the fold does not show the latest version.
        # Ask for that first and load again, so that nothing up to it is left out of the state.
        latest = self._latest_version(self.namespace, actor_id)
        replayed = load()
        return replayed, max(latest, replayed.version)

    async def _aload(
        self,
        actor_id: str,
        apply: Callable[[State, Event], State],
        initial: State,
        schema_version: int,
        seen: Replayed[State] | None = None,
    ) -> tuple[Replayed[State], int]:
        """See _load()."""

        async def load() -> Replayed[State]:
            if seen is None:
                return await self.areplay(actor_id, apply, initial, schema_version=schema_version)
            selected = ActorRange(from_version=seen.version + 1)
            tail = self._aitems(self.namespace, actor_id, selected)
            return await afold(tail, apply, initial, snapshot=_as_snapshot(actor_id, seen))

        replayed = await load()
        if not (replayed.errors or replayed.skipped):
            return replayed, replayed.version
        latest = await self._alatest_version(self.namespace, actor_id)
        replayed = await load()
        return replayed, max(latest, replayed.version)

    # -- reading one actor

    def get_events(
        self,
        actor_id: str,
        from_version: int = 0,
        *,
        to_version: int | None = None,
        limit: int | None = None,
        reverse: bool = False,
    ) -> list[Event]:
        """Return the actor's events in version order (newest first with ``reverse``).

        Bounds are inclusive; ``limit`` counts readable events, 0 gives none; an unknown actor
        has none. Malformed events are left out, logged, and sent as ``malformed_event_found``;
        see get_events_with_errors().

        Raises:
            InvalidEventError: an argument is wrong.
            StoreUnavailableError: the store cannot be reached.
        """
        events = self.iter_events(
            actor_id, from_version, to_version=to_version, limit=limit, reverse=reverse
        )
        return list(events)

    async def aget_events(
        self, actor_id: str, from_version: int = 0, **bounds: Unpack[Bounds]
    ) -> list[Event]:
        """See get_events()."""
        return [event async for event in self.aiter_events(actor_id, from_version, **bounds)]

    def get_events_with_errors(
        self, actor_id: str, from_version: int = 0, **bounds: Unpack[Bounds]
    ) -> ReplayResult:
        """Return the actor's events, and a ReplayError for each malformed one; nothing is lost.

        See get_events() for the arguments.
        """
        selected = actor_range(actor_id, from_version, **bounds)
        return _result(self._items(self.namespace, actor_id, selected))

    async def aget_events_with_errors(
        self, actor_id: str, from_version: int = 0, **bounds: Unpack[Bounds]
    ) -> ReplayResult:
        """See get_events_with_errors()."""
        selected = actor_range(actor_id, from_version, **bounds)
        return _result([item async for item in self._aitems(self.namespace, actor_id, selected)])

    def iter_events(
        self, actor_id: str, from_version: int = 0, **bounds: Unpack[Bounds]
    ) -> Iterator[Event]:
        """Yield what get_events() returns, in bounded memory."""
        selected = actor_range(actor_id, from_version, **bounds)
        return _events_of(self._items(self.namespace, actor_id, selected))

    def aiter_events(
        self, actor_id: str, from_version: int = 0, **bounds: Unpack[Bounds]
    ) -> AsyncIterator[Event]:
        """See iter_events()."""
        selected = actor_range(actor_id, from_version, **bounds)
        return _aevents_of(self._aitems(self.namespace, actor_id, selected))

    def iter_events_with_errors(
        self, actor_id: str, from_version: int = 0, **bounds: Unpack[Bounds]
    ) -> Iterator[Event | ReplayError]:
        """Yield what iter_events() does, and a ReplayError in the place of each malformed event."""
        selected = actor_range(actor_id, from_version, **bounds)
        return self._items(self.namespace, actor_id, selected)

    def aiter_events_with_errors(
        self, actor_id: str, from_version: int = 0, **bounds: Unpack[Bounds]
    ) -> AsyncIterator[Event | ReplayError]:
        """See iter_events_with_errors()."""
        selected = actor_range(actor_id, from_version, **bounds)
        return self._aitems(self.namespace, actor_id, selected)

    def get_latest_version(self, actor_id: str) -> int:
        """Return the version of the actor's newest event, 0 for an unknown actor.

        Always the truth, never a cached value. A malformed event counts with its version where
        that can be told.
        """
        return self._latest_version(self.namespace, check_text("actor_id", actor_id))

    async def aget_latest_version(self, actor_id: str) -> int:
        """See get_latest_version()."""
        return await self._alatest_version(self.namespace, check_text("actor_id", actor_id))

    # -- snapshots and state

    def save_snapshot(self, snapshot: Snapshot) -> Snapshot:
        """Store ``snapshot``, over one of the actor's at the same version; return it as stored.

        The newest ``snapshots_kept`` of each actor are kept.

        Raises:
            InvalidEventError: a field is wrong; nothing was written.
            EventTooLargeError: it is larger than the store takes.
            StoreUnavailableError: no answer from the store.
        """
        namespace = self.namespace
        snapshot, state = new_snapshot(snapshot, self.options.max_event_size)
        return _kept(snapshot, state, self._save_snapshot(namespace, snapshot, state))

    async def asave_snapshot(self, snapshot: Snapshot) -> Snapshot:
        """See save_snapshot()."""
        namespace = self.namespace
        snapshot, state = new_snapshot(snapshot, self.options.max_event_size)
        return _kept(snapshot, state, await self._asave_snapshot(namespace, snapshot, state))

    def delete_snapshots(
        self, actor_id: str, from_version: int = 0, *, to_version: int | None = None
    ) -> int:
        """Delete the actor's snapshots; return how many there were.

        All of them, or those between two versions, inclusive. Events stay, and so does what a
        replay gives: a snapshot is a copy. None is no error.

        Raises:
            InvalidEventError: an argument is wrong.
            StoreUnavailableError: no answer from the store; delete again.
        """
        namespace = self.namespace
        bounds = snapshot_range(actor_id, from_version, to_version)
        return self._delete_snapshots(namespace, actor_id, *bounds)

    async def adelete_snapshots(
        self, actor_id: str, from_version: int = 0, *, to_version: int | None = None
    ) -> int:
        """See delete_snapshots()."""
        namespace = self.namespace
        bounds = snapshot_range(actor_id, from_version, to_version)
        return await self._adelete_snapshots(namespace, actor_id, *bounds)

    def get_latest_snapshot(
        self, actor_id: str, *, max_version: int | None = None
    ) -> Snapshot | None:
        """Return the actor's newest readable snapshot, at or below ``max_version``, or None."""
        namespace = self.namespace
        check_upto(actor_id, "max_version", max_version)
        for item in self._snapshots(namespace, actor_id, max_version):
            if isinstance(item, Snapshot):
                return item
        return None

    async def aget_latest_snapshot(
        self, actor_id: str, *, max_version: int | None = None
    ) -> Snapshot | None:
        """See get_latest_snapshot()."""
        namespace = self.namespace
        check_upto(actor_id, "max_version", max_version)
        async with aclosing(self._asnapshots(namespace, actor_id, max_version)) as items:
            async for item in items:
                if isinstance(item, Snapshot):
                    return item
        return None

    def iter_snapshots_with_errors(
        self, actor_id: str, *, max_version: int | None = None
    ) -> Iterator[Snapshot | ReplayError]:
        """Yield the actor's snapshots, newest first, a ReplayError for each malformed one."""
        namespace = self.namespace
        check_upto(actor_id, "max_version", max_version)
        return self._snapshots(namespace, actor_id, max_version)

    def aiter_snapshots_with_errors(
        self, actor_id: str, *, max_version: int | None = None
    ) -> AsyncIterator[Snapshot | ReplayError]:
        """See iter_snapshots_with_errors()."""
        namespace = self.namespace
        check_upto(actor_id, "max_version", max_version)
        return self._asnapshots(namespace, actor_id, max_version)

    def get_snapshot_versions(self, actor_ids: Iterable[str]) -> dict[str, int]:
        """Return the version of each actor's newest snapshot; actors without one are left out."""
        checked = [check_text("actor_id", actor_id) for actor_id in actor_ids]
        return self._snapshot_versions(self.namespace, checked) if checked else {}

    async def aget_snapshot_versions(self, actor_ids: Iterable[str]) -> dict[str, int]:
        """See get_snapshot_versions()."""
        checked = [check_text("actor_id", actor_id) for actor_id in actor_ids]
        return await self._asnapshot_versions(self.namespace, checked) if checked else {}

    def replay(
        self,
        actor_id: str,
        apply: Callable[[State, Event], State],
        initial: State,
        *,
        to_version: int | None = None,
        use_snapshot: bool = True,
        schema_version: int = 1,
    ) -> Replayed[State]:
        """Fold the actor's events with ``apply(state, event) -> state``.

        Args:
            actor_id: the actor.
            apply: makes the next state; it may change the state in place and return it.
            initial: the state before the first event; it is copied.
            to_version: the last version to fold, inclusive; None: all.
            use_snapshot: start at the newest usable snapshot at or below ``to_version``.
            schema_version: the form of state that ``apply`` works on. Snapshots of another
                form, and unreadable ones, are passed over and named in
                ``Replayed.skipped_snapshots``.

        What ``apply`` raises passes through, with a note that names the event.
        """
        namespace = self.namespace
        check_upto(actor_id, "to_version", to_version)
        check_integer("schema_version", schema_version, minimum=1)
        with observe(self, "replay", namespace, actor_id) as operation:
            snapshot = None
            skipped: list[ReplayError] = []
            if use_snapshot:
                for item in self._read_snapshots(namespace, actor_id, to_version):
                    found = _usable(item, schema_version)
                    if isinstance(found, Snapshot):
                        snapshot = found
                        break
                    self._report(namespace, found)
                    skipped.append(found)
            selected = ActorRange(from_version=_after(snapshot), to_version=to_version)
            items = self._items(namespace, actor_id, selected)
            replayed = fold(items, apply, initial, snapshot=snapshot, skipped_snapshots=skipped)
            operation.events = replayed.events_applied
        return replayed

    async def areplay(
        self,
        actor_id: str,
        apply: Callable[[State, Event], State],
        initial: State,
        *,
        to_version: int | None = None,
        use_snapshot: bool = True,
        schema_version: int = 1,
    ) -> Replayed[State]:
        """See replay()."""
        namespace = self.namespace
        check_upto(actor_id, "to_version", to_version)
        check_integer("schema_version", schema_version, minimum=1)
        with observe(self, "replay", namespace, actor_id) as operation:
            snapshot = None
            skipped: list[ReplayError] = []
            if use_snapshot:
                async with aclosing(
                    self._aread_snapshots(namespace, actor_id, to_version)
                ) as items:
                    async for item in items:
                        found = _usable(item, schema_version)
                        if isinstance(found, Snapshot):
                            snapshot = found
                            break
                        await sync_to_async(self._report)(namespace, found)
                        skipped.append(found)
            selected = ActorRange(from_version=_after(snapshot), to_version=to_version)
            events = self._aitems(namespace, actor_id, selected)
            replayed = await afold(
                events, apply, initial, snapshot=snapshot, skipped_snapshots=skipped
            )
            operation.events = replayed.events_applied
        return replayed

    # -- reading the whole store

    def read_all(
        self,
        after: int | None = None,
        *,
        limit: int | None = None,
        event_types: Collection[str] | None = None,
        actor_id: str | None = None,
        correlation_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        reverse: bool = False,
    ) -> Iterator[Event]:
        """Yield the events of the whole store in position order, in bounded memory.

        Never skips an event that commits late, so ``event.position`` is a checkpoint: go on
        with ``after=checkpoint``. Malformed events are left out, logged, and sent as
        ``malformed_event_found``; see read_all_with_errors().

        Args:
            after: a position; only events behind it.
            limit: the most events to yield, after filtering; 0 gives none.
            event_types: only events of one of these types; an empty collection gives none.
            actor_id: only this actor's events.
            correlation_id: only events with this correlation id.
            since: only events with this timestamp or a later one.
            until: only events with this timestamp or an earlier one.
            before: a position; only events in front of it.
            reverse: newest first.

        Raises:
            InvalidEventError: an argument is wrong.
            StoreUnavailableError: the store cannot be reached.
        """
        selected = selection(
            after,
            limit=limit,
            event_types=event_types,
            actor_id=actor_id,
            correlation_id=correlation_id,
            since=since,
            until=until,
            before=before,
            reverse=reverse,
        )
        return _events_of(self._read_items(selected))

    def aread_all(
        self, after: int | None = None, **reading: Unpack[Reading]
    ) -> AsyncIterator[Event]:
        """See read_all()."""
        selected = selection(after, **reading)
        return _aevents_of(self._aread_items(selected))

    def read_all_with_errors(
        self, after: int | None = None, **reading: Unpack[Reading]
    ) -> Iterator[Event | ReplayError]:
        """Yield what read_all() does, and a ReplayError in the place of each malformed event."""
        selected = selection(after, **reading)
        return self._read_items(selected)

    def aread_all_with_errors(
        self, after: int | None = None, **reading: Unpack[Reading]
    ) -> AsyncIterator[Event | ReplayError]:
        """See read_all_with_errors()."""
        selected = selection(after, **reading)
        return self._aread_items(selected)

    def subscribe(
        self,
        after: int | None = None,
        *,
        event_types: Collection[str] | None = None,
        stop: Stop | None = None,
    ) -> Iterator[Event]:
        """Yield the events of the whole store in position order, and wait for new ones for ever.

        Each position once, none skipped: to go on later, give the position of the last event
        that you have dealt with as ``after``. While nothing is saved it waits, without load.
        When the store cannot be reached it logs that, and goes on once it can be again.

        Args:
            after: a position; only events behind it. None: from the first one.
            event_types: only events of one of these types.
            stop: set it (from another thread, or a signal handler), and the iterator ends
                within about 0.1 seconds, or after the event that it is at.

        Raises:
            InvalidEventError: an argument is wrong.
        """
        selected = selection(after, event_types=event_types)
        return subscriptions.subscribe(self, self.namespace, selected, stop)

    def asubscribe(
        self,
        after: int | None = None,
        *,
        event_types: Collection[str] | None = None,
        stop: Stop | None = None,
    ) -> AsyncIterator[Event]:
        """See subscribe(); ``stop`` may be an ``asyncio.Event``."""
        selected = selection(after, event_types=event_types)
        return subscriptions.asubscribe(self, self.namespace, selected, stop)

    def get_actors(
        self,
        *,
        search: str = "",
        order_by: str = "actor_id",
        limit: int = 100,
        cursor: str | None = None,
    ) -> ActorPage:
        """Return one page of actors.

        Args:
            search: only actors whose id contains this text, as written.
            order_by: ``actor_id``, ``latest_version``, ``event_count``, ``first_timestamp`` or
                ``last_timestamp``; descending with ``-`` in front.
            limit: the most actors on the page; 0 gives none.
            cursor: the ``next_cursor`` of the page before; opaque.

        Raises:
            InvalidEventError: an argument is wrong.
            UnsupportedOperation: the store cannot sort by that.
        """
        self._check_listing(search, order_by, limit, cursor)
        if limit == 0:
            return ActorPage()
        return self._list_actors(self.namespace, search, order_by, limit, cursor)

    async def aget_actors(
        self,
        *,
        search: str = "",
        order_by: str = "actor_id",
        limit: int = 100,
        cursor: str | None = None,
    ) -> ActorPage:
        """See get_actors()."""
        self._check_listing(search, order_by, limit, cursor)
        if limit == 0:
            return ActorPage()
        return await self._alist_actors(self.namespace, search, order_by, limit, cursor)

    def get_event(self, position: int) -> Event | None:
        """Return the event at ``position``; None if there is none, or a malformed one."""
        item = self.get_event_with_errors(position)
        return None if isinstance(item, ReplayError) else item

    async def aget_event(self, position: int) -> Event | None:
        """See get_event()."""
        item = await self.aget_event_with_errors(position)
        return None if isinstance(item, ReplayError) else item

    def get_event_with_errors(self, position: int) -> Event | ReplayError | None:
        """Return the event at ``position``, a ReplayError if it is malformed, None if none is."""
        namespace = self.namespace
        found = self._event_at(namespace, check_integer("position", position, minimum=0))
        item = None if found is None else upcast_item(found)
        if isinstance(item, ReplayError):
            return self._met(namespace, item, SkipReasons(self.alias, namespace))
        return item

    async def aget_event_with_errors(self, position: int) -> Event | ReplayError | None:
        """See get_event_with_errors()."""
        namespace = self.namespace
        found = await self._aevent_at(namespace, check_integer("position", position, minimum=0))
        item = None if found is None else upcast_item(found)
        if isinstance(item, ReplayError):
            reasons = SkipReasons(self.alias, namespace)
            return await sync_to_async(self._met)(namespace, item, reasons)
        return item

    def get_event_by_id(self, event_id: str, *, actor_id: str | None = None) -> Event | None:
        """Return the event with this id, or None.

        Name the actor where it is known: a store without an index of ids (JetStream) then looks
        at that actor alone, and through all of its events otherwise.
        """
        actors = lookup(event_id, actor_id)
        namespace = self.namespace
        found = self._find_events(namespace, (event_id,), actors).get(event_id)
        item = None if found is None else upcast_item(found)
        if isinstance(item, ReplayError):
            self._met(namespace, item, SkipReasons(self.alias, namespace))
            return None
        return item

    async def aget_event_by_id(self, event_id: str, *, actor_id: str | None = None) -> Event | None:
        """See get_event_by_id()."""
        actors = lookup(event_id, actor_id)
        namespace = self.namespace
        found = (await self._afind_events(namespace, (event_id,), actors)).get(event_id)
        item = None if found is None else upcast_item(found)
        if isinstance(item, ReplayError):
            await sync_to_async(self._met)(namespace, item, SkipReasons(self.alias, namespace))
            return None
        return item

    def count_events(self, **filters: Unpack[Filters]) -> int:
        """Return how many events the store holds, or how many pass the filters of read_all()."""
        selected = selection(**filters)
        return 0 if selected.nothing else self._count_events(self.namespace, selected)

    async def acount_events(self, **filters: Unpack[Filters]) -> int:
        """See count_events()."""
        selected = selection(**filters)
        return 0 if selected.nothing else await self._acount_events(self.namespace, selected)

    def get_statistics(self) -> StoreStatistics:
        """Return how many events and actors the store holds; estimates where counting is slow."""
        return self._statistics(self.namespace)

    async def aget_statistics(self) -> StoreStatistics:
        """See get_statistics()."""
        return await self._astatistics(self.namespace)

    # -- inside

    def _prepare(
        self,
        given: Sequence[Event],
        expected_version: int | Expect | None,
        ambient: Mapping[str, str],
    ) -> list[NewEvent]:
        """Check everything, merge the ambient metadata; return the events as new ones."""
        new = new_events(given, ambient, self.options.max_event_size)
        check_expected(expected_version, new)
        if not self.supports_multi_actor_append and len({event.actor_id for event in given}) > 1:
            needs = self.multi_actor_append_needs
            raise UnsupportedOperation(
                f"{self!r} cannot save events of several actors all or none"
                f"{f': that needs {needs}' if needs else ''}; save them actor by actor."
            )
        return new

    def _announce(self, namespace: str, events: Sequence[Event]) -> None:
        for event in events:
            self._send(event_saved, namespace, event=event)

    def _report(self, namespace: str, error: ReplayError) -> None:
        logger.warning(
            "%s (store %r, namespace %r)",
            error,
            self.alias,
            namespace,
            extra=self._told(namespace, error),
        )
        self._send(malformed_event_found, namespace, error=error)

    def _told(self, namespace: str, error: ReplayError) -> dict[str, Any]:
        """Return what log records say of a malformed event beside their text."""
        return {
            "store": self.alias,
            "namespace": namespace,
            "actor_id": error.actor_id,
            "position": error.position,
            "reason": str(error.error),
        }

    def _met(self, namespace: str, error: ReplayError, reasons: SkipReasons) -> ReplayError:
        """Report a malformed event; return it with the reason, if somebody marked it as skipped."""
        reason = reasons.get(error.position)
        if reason is None:
            self._report(namespace, error)
            return error
        logger.info(
            "%s (store %r, namespace %r), skipped: %s",
            error,
            self.alias,
            namespace,
            reason,
            extra={**self._told(namespace, error), "skipped": reason},
        )
        return replace(error, skipped=reason)

    def _send(self, signal: Signal, namespace: str, **values: Any) -> None:
        for receiver, response in signal.send_robust(
            type(self), store=self, namespace=namespace, **values
        ):
            if isinstance(response, Exception):
                logger.error(
                    "Receiver %r failed (store %r)",
                    receiver,
                    self.alias,
                    exc_info=response,
                    extra={"store": self.alias, "namespace": namespace},
                )

    def _items(
        self, namespace: str, actor_id: str, selected: ActorRange
    ) -> Iterator[Event | ReplayError]:
        if selected.limit == 0:
            return
        reasons = SkipReasons(self.alias, namespace)
        for item in upcast(
            observe_items(
                self,
                "read_actor",
                namespace,
                self._read_actor(namespace, actor_id, selected),
                actor_id,
            )
        ):
            yield self._met(namespace, item, reasons) if isinstance(item, ReplayError) else item

    async def _aitems(
        self, namespace: str, actor_id: str, selected: ActorRange
    ) -> AsyncGenerator[Event | ReplayError, None]:
        if selected.limit == 0:
            return
        reasons = SkipReasons(self.alias, namespace)
        async with aclosing(
            aupcast(
                aobserve_items(
                    self,
                    "read_actor",
                    namespace,
                    self._aread_actor(namespace, actor_id, selected),
                    actor_id,
                )
            )
        ) as items:
            async for item in items:
                if isinstance(item, ReplayError):
                    yield await sync_to_async(self._met)(namespace, item, reasons)
                else:
                    yield item

    def _read_items(self, selected: Selection) -> Iterator[Event | ReplayError]:
        namespace = self.namespace
        return observe_items(self, "read_store", namespace, self._store_items(namespace, selected))

    def _aread_items(self, selected: Selection) -> AsyncGenerator[Event | ReplayError, None]:
        namespace = self.namespace
        return aobserve_items(
            self, "read_store", namespace, self._astore_items(namespace, selected)
        )

    def _store_items(self, namespace: str, selected: Selection) -> Iterator[Event | ReplayError]:
        if selected.nothing:
            return
        reasons = SkipReasons(self.alias, namespace)
        for item in upcast(self._read_store(namespace, selected)):
            yield self._met(namespace, item, reasons) if isinstance(item, ReplayError) else item

    async def _astore_items(
        self, namespace: str, selected: Selection
    ) -> AsyncGenerator[Event | ReplayError, None]:
        if selected.nothing:
            return
        reasons = SkipReasons(self.alias, namespace)
        async with aclosing(aupcast(self._aread_store(namespace, selected))) as items:
            async for item in items:
                if isinstance(item, ReplayError):
                    yield await sync_to_async(self._met)(namespace, item, reasons)
                else:
                    yield item

    def _snapshots(
        self, namespace: str, actor_id: str, max_version: int | None
    ) -> Iterator[Snapshot | ReplayError]:
        for item in self._read_snapshots(namespace, actor_id, max_version):
            if isinstance(item, ReplayError):
                self._report(namespace, item)
            yield item

    async def _asnapshots(
        self, namespace: str, actor_id: str, max_version: int | None
    ) -> AsyncGenerator[Snapshot | ReplayError, None]:
        async with aclosing(self._aread_snapshots(namespace, actor_id, max_version)) as items:
            async for item in items:
                if isinstance(item, ReplayError):
                    await sync_to_async(self._report)(namespace, item)
                yield item

    def _check_listing(self, search: str, order_by: str, limit: int, cursor: str | None) -> None:
        name = check_listing(search, order_by, limit, cursor)
        if name not in self.actor_orderings:
            raise UnsupportedOperation(
                f"{self!r} cannot sort actors by {name}; it can by "
                f"{', '.join(sorted(self.actor_orderings))}."
            )


def _ids(events: Sequence[Event]) -> tuple[list[str], list[str]]:
    """Return the ids of the events, and of their actors."""
    actors = dict.fromkeys(event.actor_id for event in events)
    return [event.id for event in events], list(actors)


def _settle(
    given: Sequence[Event],
    stored: dict[str, Event],
    refusal: VersionConflictError | DuplicateEventError,
) -> list[Event]:
    """Return the stored events if the refused append is one that was saved before."""
    for event in given:
        if event.id in stored and not same_event(event, stored[event.id]):
            raise DuplicateEventError(event.id, event.actor_id) from refusal
    if len(stored) == len(given):
        return [stored[event.id] for event in given]
    for event in given:
        if event.id in stored:
            raise DuplicateEventError(
                event.id, event.actor_id, "is already stored, and others of this append are not"
            ) from refusal
    raise refusal


def _saved(new: Sequence[NewEvent], placed: Sequence[Placed]) -> list[Event]:
    return [
        made_event(
            event.actor_id,
            event.event_type,
            event.data,
            place.version,
            event.id,
            event.command_id,
            event.metadata,
            event.timestamp,
            place.position,
        )
        for (event, *_), place in zip(new, placed, strict=True)
    ]


def _kept(snapshot: Snapshot, state: bytes, position: int | None) -> Snapshot:
    return replace(snapshot, state=orjson.loads(state), position=position)


def _name_versions(events: Iterable[Event]) -> bool:
    return any(event.version is not None for event in events)


def _pause() -> float:
    """Return a short random pause in seconds, so that rivals do not meet again."""
    return random.uniform(0.001, 0.05)  # noqa: S311 - no secret


def _as_snapshot(actor_id: str, seen: Replayed[State]) -> Snapshot:
    # A copy: the tail may be folded twice, by a fold that changes its state in place.
    return Snapshot(actor_id, seen.version, copy.deepcopy(seen.state))


def _after(snapshot: Snapshot | None) -> int:
    return 0 if snapshot is None else snapshot.version + 1


def _usable(item: Snapshot | ReplayError, schema_version: int) -> Snapshot | ReplayError:
    """Return ``item``, or why a fold that makes ``schema_version`` cannot start at it."""
    if isinstance(item, ReplayError) or item.schema_version == schema_version:
        return item
    reason = InvalidEventError(
        "schema_version", f"the snapshot has {item.schema_version}, the fold {schema_version}."
    )
    return ReplayError(item.position, repr(item.state), reason, item.actor_id)


def _result(items: Iterable[Event | ReplayError]) -> ReplayResult:
    result = ReplayResult()
    for item in items:
        if isinstance(item, ReplayError):
            result.errors.append(item)
        else:
            result.events.append(item)
    return result


def _events_of(items: Iterator[Event | ReplayError]) -> Iterator[Event]:
    return (item for item in items if not isinstance(item, ReplayError))


async def _aevents_of(
    items: AsyncGenerator[Event | ReplayError, None],
) -> AsyncGenerator[Event, None]:
    async with aclosing(items):
        async for item in items:
            if not isinstance(item, ReplayError):
                yield item
