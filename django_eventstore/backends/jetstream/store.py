"""JetStreamEventStore: the primitives, in terms of the modules beside this one."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from typing import Any, Final, Protocol, TypeVar

from asgiref.sync import sync_to_async
from django.core.checks import CheckMessage

from ...events.event import Event, Snapshot
from ...events.results import ReplayError
from ...store import EventStore
from ...store.subscriptions import Watch
from ..values import (
    ActorPage,
    ActorQuery,
    ActorRange,
    ActorSummary,
    NewEvent,
    Placed,
    Selection,
    StoreStatistics,
)
from .appending.append import Appender
from .appending.ids import StoredIds
from .checks import check_durability, check_options
from .client.call import Call, StreamGone
from .client.operation import Operation, Turns, arun, run
from .codec import POSITION_BITS
from .config import HEAD_LIFETIME, JetStreamConfig
from .listing.actors import list_by_id, list_by_position, summaries
from .listing.counting import count_all, estimate
from .listing.listing import Listing
from .names import EVENTS, SNAPSHOTS, stream_name
from .reading.actor_reader import ActorReader
from .reading.history import History, leader_get
from .reading.snapshots import SnapshotReader, Snapshots
from .reading.store_reader import ActorSelection, Judge, StoreReader
from .reading.watch import JetStreamWatch
from .streams.prune import prune
from .streams.receipts import give_receipt, is_outlived
from .streams.stream import (
    ATOMIC_NEEDS,
    ATOMIC_SINCE,
    find_stream,
    forget_streams,
    open_stream,
    set_up,
)
from .version_cache import (
    NO_HEAD,
    Entry,
    Head,
    LocalVersionCache,
    SharedVersionCache,
    VersionCache,
)

UNLIMITED: Final = 100_000
"""The seconds that a listing may take, whatever its time limit."""

Result = TypeVar("Result")
Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)


class Pages(Protocol[Item_co]):
    """What reads page by page."""

    @property
    def done(self) -> bool:
        """Whether there is no more."""

    async def page(self, call: Call) -> Sequence[Item_co]:
        """Return the next items."""


Start = Callable[..., Coroutine[Operation, None, Pages[Item] | None]]


class Shared:
    """What all store objects of this process on one stream share."""

    def __init__(self, options: JetStreamConfig, name: str) -> None:
        lifetime = HEAD_LIFETIME.total_seconds()
        self.cache: VersionCache
        if options.version_cache:
            scope = "\n".join([*sorted(options.safe_servers), options.domain, name])
            self.cache = SharedVersionCache(options.version_cache, scope, lifetime)
        else:
            self.cache = LocalVersionCache(options.version_cache_size, lifetime)
        self.ids = StoredIds()
        self.turns = Turns()
        self.listing = Listing()


_shared: dict[tuple[str, str], Shared] = {}
# In a forked child: locks and turns that other threads of the parent held would never be given.
os.register_at_fork(after_in_child=_shared.clear)


class JetStreamEventStore(EventStore):
    """Keeps events in a NATS JetStream stream. See ``docs/jetstream.md``.

    Store objects with the same servers and login share one connection in a process; it stays
    open until the process ends, whatever store objects are closed.
    """

    options_class = JetStreamConfig
    options: JetStreamConfig
    supports_unique_ids = False
    looks_for_ids_first = True
    supports_lookup = False
    supports_pruning = True
    multi_actor_append_needs = ATOMIC_NEEDS
    actor_orderings = frozenset({"actor_id", "last_position"})

    @property
    def supports_multi_actor_append(self) -> bool:  # type: ignore[override]
        """Whether an append can hold events of several actors; True while that is not known.

        The server's version is known once the store has been used; the append itself goes by
        what the stream says.
        """
        version = self._call().connection.server_version
        return self.options.allow_atomic and (version == (0,) or version >= ATOMIC_SINCE)

    @property
    def stream_name(self) -> str:
        """The name of the stream that an operation started now would use."""
        return stream_name(self.namespace, self.options.stream_name)

    @property
    def version_cache(self) -> VersionCache:
        """The version cache of the stream."""
        return self._shared(self.namespace).cache

    def check_cached_versions(
        self, actor_id: str | None = None
    ) -> Iterator[tuple[Entry, tuple[int, int]]]:
        """Yield each entry of the version cache, with what is true.

        That is (latest version, number of appends), from the leader; the cache is left as it is.

        Args:
            actor_id: only this actor's entry.
        """
        namespace = self.namespace
        for entry in self._shared(namespace).cache.entries():
            if actor_id in (None, entry.actor_id):
                head = self._run(self._do_head, namespace, entry)
                yield entry, (head.version, head.appends)

    async def _do_head(self, namespace: str, entry: Entry) -> Head:
        call = self._call()
        stream = await find_stream(call, namespace)
        if stream is None:
            return NO_HEAD
        return await History(stream, entry.actor_id).head(call, entry.head)

    def _shared(self, namespace: str) -> Shared:
        key = self.options.stream_key, namespace
        shared = _shared.get(key)
        if shared is None:
            name = stream_name(namespace, self.options.stream_name)
            shared = _shared.setdefault(key, Shared(self.options, name))
        return shared

    # -- running the coroutines below, in threads and in tasks

    def _call(self) -> Call:
        return Call(self.options)

    def _run(
        self,
        function: Callable[..., Coroutine[Operation, None, Result]],
        namespace: str,
        *rest: Any,
    ) -> Result:
        try:
            return run(function(namespace, *rest))
        except StreamGone:
            self._forget(namespace)
            return run(function(namespace, *rest))

    async def _arun(
        self,
        function: Callable[..., Coroutine[Operation, None, Result]],
        namespace: str,
        *rest: Any,
    ) -> Result:
        if self.options.version_cache:
            # A Django cache may block, and may refuse to be used in an event loop.
            return await sync_to_async(self._run)(function, namespace, *rest)
        try:
            return await arun(function(namespace, *rest))
        except StreamGone:
            self._forget(namespace)
            return await arun(function(namespace, *rest))

    def _forget(self, namespace: str) -> None:
        """The streams were removed: what is known of them is of no use."""
        forget_streams(self.options, namespace)
        shared = self._shared(namespace)
        shared.cache.clear()
        shared.ids.clear()
        shared.listing = Listing()  # whoever reads the old one keeps it as it is

    def _iterate(self, start: Start[Item], namespace: str, *rest: Any) -> Iterator[Item]:
        pages, items = self._run(self._first_page, namespace, start, *rest)
        while pages is not None:
            yield from items
            if pages.done:
                return
            items = run(pages.page(self._call()))

    async def _aiterate(
        self, start: Start[Item], namespace: str, *rest: Any
    ) -> AsyncGenerator[Item, None]:
        pages, items = await self._arun(self._first_page, namespace, start, *rest)
        while pages is not None:
            for item in items:
                yield item
            if pages.done:
                return
            items = await arun(pages.page(self._call()))

    async def _first_page(
        self, namespace: str, start: Start[Item], *rest: Any
    ) -> tuple[Pages[Item] | None, Sequence[Item]]:
        call = self._call()
        pages = await start(call, namespace, *rest)
        return pages, [] if pages is None else await pages.page(call)

    # -- writing

    async def _do_append(
        self, namespace: str, events: Sequence[NewEvent], expected_version: int | None
    ) -> list[Placed]:
        call = self._call()
        stream = await open_stream(call, namespace)
        shared = self._shared(namespace)
        appender = Appender(stream, shared.cache, shared.ids, shared.turns)
        return await appender.append(call, events, expected_version)

    def _append(
        self, namespace: str, events: Sequence[NewEvent], expected_version: int | None
    ) -> list[Placed]:
        return self._run(self._do_append, namespace, events, expected_version)

    async def _aappend(
        self, namespace: str, events: Sequence[NewEvent], expected_version: int | None
    ) -> list[Placed]:
        return await self._arun(self._do_append, namespace, events, expected_version)

    async def _do_save_snapshot(self, namespace: str, snapshot: Snapshot, state: bytes) -> None:
        call = self._call()
        stream = await open_stream(call, namespace, SNAPSHOTS)
        keep = self.options.snapshots_kept
        await Snapshots(stream, snapshot.actor_id).save(call, snapshot, state, keep)

    def _save_snapshot(self, namespace: str, snapshot: Snapshot, state: bytes) -> None:
        self._run(self._do_save_snapshot, namespace, snapshot, state)

    async def _asave_snapshot(self, namespace: str, snapshot: Snapshot, state: bytes) -> None:
        await self._arun(self._do_save_snapshot, namespace, snapshot, state)

    async def _do_delete_snapshots(
        self, namespace: str, actor_id: str, from_version: int, to_version: int
    ) -> int:
        call = self._call()
        stream = await find_stream(call, namespace, SNAPSHOTS)
        if stream is None:
            return 0
        snapshots = Snapshots(stream, actor_id)
        held = await snapshots.versions(call)
        gone = [version for version in held if from_version <= version <= to_version]
        await snapshots.delete(call, gone)
        return len(gone)

    def _delete_snapshots(
        self, namespace: str, actor_id: str, from_version: int, to_version: int
    ) -> int:
        return self._run(self._do_delete_snapshots, namespace, actor_id, from_version, to_version)

    async def _adelete_snapshots(
        self, namespace: str, actor_id: str, from_version: int, to_version: int
    ) -> int:
        return await self._arun(
            self._do_delete_snapshots, namespace, actor_id, from_version, to_version
        )

    def _prune(self, namespace: str, actor_id: str, to_version: int) -> int:
        return self._run(self._do_prune, namespace, actor_id, to_version)

    async def _do_prune(self, namespace: str, actor_id: str, to_version: int) -> int:
        call = self._call()
        stream = await find_stream(call, namespace)
        return 0 if stream is None else await prune(call, History(stream, actor_id), to_version)

    def _receipt(self, namespace: str) -> str:
        return self._run(self._do_receipt, namespace)

    async def _do_receipt(self, namespace: str) -> str:
        call = self._call()
        stream = await find_stream(call, namespace)
        return "" if stream is None else await give_receipt(call, stream)

    def _is_outlived(self, namespace: str, receipt: str) -> bool:
        return self._run(self._do_is_outlived, namespace, receipt)

    async def _do_is_outlived(self, namespace: str, receipt: str) -> bool:
        call = self._call()
        stream = await find_stream(call, namespace)
        return stream is not None and await is_outlived(call, stream, receipt)

    # -- reading one actor

    async def _do_latest_version(self, namespace: str, actor_id: str) -> int:
        call = self._call()
        stream = await find_stream(call, namespace)
        if stream is None:
            return 0
        cache = self._shared(namespace).cache
        cached = cache.get(actor_id)
        head = await History(stream, actor_id).head(call, cached)
        if cached is None:
            if head.appends:
                cache.set(actor_id, head)
        elif cached != head:
            cache.counters.stale += 1
            cache.delete(actor_id)
        return head.version

    def _latest_version(self, namespace: str, actor_id: str) -> int:
        return self._run(self._do_latest_version, namespace, actor_id)

    async def _alatest_version(self, namespace: str, actor_id: str) -> int:
        return await self._arun(self._do_latest_version, namespace, actor_id)

    async def _open_actor(
        self, call: Call, namespace: str, actor_id: str, selected: ActorRange
    ) -> ActorReader | None:
        stream = await find_stream(call, namespace)
        return None if stream is None else ActorReader(History(stream, actor_id), selected)

    def _read_actor(
        self, namespace: str, actor_id: str, selected: ActorRange
    ) -> Iterator[Event | ReplayError]:
        return self._iterate(self._open_actor, namespace, actor_id, selected)

    def _aread_actor(
        self, namespace: str, actor_id: str, selected: ActorRange
    ) -> AsyncGenerator[Event | ReplayError, None]:
        return self._aiterate(self._open_actor, namespace, actor_id, selected)

    async def _open_snapshots(
        self, call: Call, namespace: str, actor_id: str, max_version: int | None
    ) -> SnapshotReader | None:
        stream = await find_stream(call, namespace, SNAPSHOTS)
        return None if stream is None else SnapshotReader(Snapshots(stream, actor_id), max_version)

    def _read_snapshots(
        self, namespace: str, actor_id: str, max_version: int | None
    ) -> Iterator[Snapshot | ReplayError]:
        return self._iterate(self._open_snapshots, namespace, actor_id, max_version)

    def _aread_snapshots(
        self, namespace: str, actor_id: str, max_version: int | None
    ) -> AsyncGenerator[Snapshot | ReplayError, None]:
        return self._aiterate(self._open_snapshots, namespace, actor_id, max_version)

    # -- reading the whole store

    async def _open_store(
        self, call: Call, namespace: str, selected: Selection
    ) -> StoreReader | ActorSelection | None:
        stream = await find_stream(call, namespace)
        if stream is None:
            return None
        if selected.actor_id is not None:
            return ActorSelection(History(stream, selected.actor_id), selected)
        return StoreReader(stream, selected)

    def _watch(self, namespace: str) -> Watch:
        subjects = f"{stream_name(namespace, self.options.stream_name)}.{EVENTS}.>"
        return JetStreamWatch(lambda: self._call().connection, subjects)

    def _read_store(self, namespace: str, selected: Selection) -> Iterator[Event | ReplayError]:
        return self._iterate(self._open_store, namespace, selected)

    def _aread_store(
        self, namespace: str, selected: Selection
    ) -> AsyncGenerator[Event | ReplayError, None]:
        return self._aiterate(self._open_store, namespace, selected)

    async def _do_event_at(self, namespace: str, position: int) -> Event | ReplayError | None:
        call = self._call()
        stream = await find_stream(call, namespace)
        sequence = position >> POSITION_BITS
        stored = None
        if stream is not None and sequence:
            stored = await leader_get(call, stream, seq=sequence)
        if stream is None or stored is None:
            return None
        items = await Judge(stream).items(call, stored)
        return next((item for item in items if item.position == position), None)

    def _event_at(self, namespace: str, position: int) -> Event | ReplayError | None:
        return self._run(self._do_event_at, namespace, position)

    async def _aevent_at(self, namespace: str, position: int) -> Event | ReplayError | None:
        return await self._arun(self._do_event_at, namespace, position)

    async def _do_find_events(
        self, namespace: str, event_ids: Sequence[str], actor_ids: Sequence[str] | None
    ) -> dict[str, Event]:
        call = self._call()
        stream = await find_stream(call, namespace)
        if stream is None:
            return {}
        wanted = set(event_ids)
        found: dict[str, Event] = {}
        readers: list[ActorReader] | list[StoreReader]
        if actor_ids is None:
            readers = [StoreReader(stream, Selection())]
        else:
            readers = [ActorReader(History(stream, each), ActorRange()) for each in actor_ids]
        for reader in readers:
            while not reader.done and len(found) < len(wanted):
                for item in await reader.page(self._call()):
                    if isinstance(item, Event) and item.id in wanted:
                        found.setdefault(item.id, item)
        return found

    def _find_events(
        self, namespace: str, event_ids: Sequence[str], actor_ids: Sequence[str] | None
    ) -> dict[str, Event]:
        return self._run(self._do_find_events, namespace, event_ids, actor_ids)

    async def _afind_events(
        self, namespace: str, event_ids: Sequence[str], actor_ids: Sequence[str] | None
    ) -> dict[str, Event]:
        return await self._arun(self._do_find_events, namespace, event_ids, actor_ids)

    async def _do_count_events(self, namespace: str, selected: Selection) -> int:
        call = self._call()
        stream = await find_stream(call, namespace)
        if stream is None:
            return 0
        if not selected.filters:
            return await count_all(stream, self._call)
        reader = await self._open_store(call, namespace, selected)
        count = 0
        while reader is not None and not reader.done:
            count += len(await reader.page(self._call()))
        return count

    def _count_events(self, namespace: str, selected: Selection) -> int:
        return self._run(self._do_count_events, namespace, selected)

    async def _acount_events(self, namespace: str, selected: Selection) -> int:
        return await self._arun(self._do_count_events, namespace, selected)

    async def _do_statistics(self, namespace: str) -> StoreStatistics:
        stream = await find_stream(self._call(), namespace)
        return StoreStatistics(0, 0) if stream is None else await estimate(stream, self._call)

    def _statistics(self, namespace: str) -> StoreStatistics:
        return self._run(self._do_statistics, namespace)

    async def _astatistics(self, namespace: str) -> StoreStatistics:
        return await self._arun(self._do_statistics, namespace)

    async def _do_list_actors(self, namespace: str, query: ActorQuery) -> ActorPage:
        after = query.after
        limit = UNLIMITED if query.time_limit is None else min(query.time_limit, UNLIMITED)
        until = time.monotonic() + limit
        stream = await find_stream(self._call(), namespace)
        if stream is None:
            return ActorPage()
        if query.name == "last_position":
            return await list_by_position(self._call, stream, query, after, until)
        listing = self._shared(namespace).listing
        return await list_by_id(self._call, stream, listing, query, after, until)

    def _list_actors(self, namespace: str, query: ActorQuery) -> ActorPage:
        return self._run(self._do_list_actors, namespace, query)

    async def _alist_actors(self, namespace: str, query: ActorQuery) -> ActorPage:
        return await self._arun(self._do_list_actors, namespace, query)

    async def _do_actor_summaries(
        self, namespace: str, actor_ids: Sequence[str]
    ) -> dict[str, ActorSummary]:
        stream = await find_stream(self._call(), namespace)
        found = {} if stream is None else await summaries(self._call(), stream, actor_ids)
        return {name: summary for name, summary in found.items() if summary is not None}

    def _actor_summaries(self, namespace: str, actor_ids: Sequence[str]) -> dict[str, ActorSummary]:
        return self._run(self._do_actor_summaries, namespace, actor_ids)

    async def _aactor_summaries(
        self, namespace: str, actor_ids: Sequence[str]
    ) -> dict[str, ActorSummary]:
        return await self._arun(self._do_actor_summaries, namespace, actor_ids)

    # -- life cycle

    async def _do_setup(self, namespace: str, update: bool, check: bool) -> list[str]:
        call = self._call()
        await call.connect()
        lines: list[str] = []
        for kind in (EVENTS, SNAPSHOTS):
            lines += await set_up(call, namespace, kind, update=update, check=check)
        return lines

    def setup(self, *, update: bool = False, check: bool = False) -> list[str]:
        return self._run(self._do_setup, self.namespace, update, check)

    async def asetup(self, *, update: bool = False, check: bool = False) -> list[str]:
        return await self._arun(self._do_setup, self.namespace, update, check)

    def check(self) -> list[CheckMessage]:
        return check_options(self.alias, self.options)

    def check_deployment(self) -> list[CheckMessage]:
        return check_durability(self.alias, self.options)

    def describe(self) -> dict[str, Any]:
        return {
            **super().describe(),
            "servers": ", ".join(self.options.safe_servers),
            "stream": self.stream_name,
            "max_age": self.options.max_age,
            "replicas": self.options.replicas,
            "version_cache": self.options.version_cache or "of each process",
        }
