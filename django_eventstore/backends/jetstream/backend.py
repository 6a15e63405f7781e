"""The primitives on a JetStream stream. Each is a coroutine; ``pairing.py`` runs it.

The way of an append: ``streams/opening.py`` (its stream), ``appending/appender.py`` (the actor's
head, from ``version_cache.py`` or ``reading/history.py``; the message, by ``codec.py`` on a subject
of ``names.py``), ``appending/publication.py`` (until its fate is known), ``client/call.py``,
``client/traffic.py`` (to await its ``client/operation.py`` sends it), ``client/wire.py``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.core.checks import CheckMessage

from ...events import Event, ReplayError, Snapshot
from ..base import Backend
from ..values import (
    ActorPage,
    ActorQuery,
    ActorRange,
    ActorSummary,
    CachedVersion,
    NewEvent,
    Placed,
    Selection,
    StoreStatistics,
)
from ..watch import Watch
from .appending.appender import Appender
from .appending.id_cache import StoredIds
from .checks import check_durability, check_options
from .client.call import Call
from .client.operation import Turns
from .codec import POSITION_BITS
from .config import HEAD_LIFETIME, JetStreamConfig
from .listing.actor_ids import ActorIds
from .listing.actors import list_by_id, list_by_position, summaries
from .listing.counting import count_all, estimate
from .names import EVENTS, SNAPSHOTS, stream_name
from .pairing import Paired, both_forms, both_readers
from .pruning import prune
from .reading.actor_reader import ActorReader
from .reading.history import History, leader_get
from .reading.snapshots import SnapshotReader, Snapshots
from .reading.store_reader import ActorSelection, Judge, StoreReader
from .reading.watch import JetStreamWatch
from .streams.configuration import ATOMIC_NEEDS, ATOMIC_SINCE
from .streams.opening import forget_streams, open_stream, set_up
from .streams.receipts import give_receipt, is_outlived
from .version_cache import NO_HEAD, Entry, Head, HeadCache, LocalHeadCache, SharedHeadCache

UNLIMITED: Final = 100_000
"""The seconds that a listing may take, whatever its time limit."""


class Shared:
    """What all store objects of this process on one stream share."""

    def __init__(self, options: JetStreamConfig, name: str) -> None:
        lifetime = HEAD_LIFETIME.total_seconds()
        self.cache: HeadCache
        if options.version_cache:
            scope = "\n".join([*sorted(options.safe_servers), options.domain, name])
            self.cache = SharedHeadCache(options.version_cache, scope, lifetime)
        else:
            self.cache = LocalHeadCache(options.version_cache_size, lifetime)
        self.ids = StoredIds()
        self.turns = Turns()
        self.listing = ActorIds()


_shared: dict[tuple[str, str], Shared] = {}
# In a forked child: locks and turns that other threads of the parent held would never be given.
os.register_at_fork(after_in_child=_shared.clear)


class JetStreamBackend(Paired, Backend):
    """The primitives on a stream of the namespace's own. See ``docs/jetstream.md``."""

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
        version = self.call().connection.server_version
        return self.options.allow_atomic and (version == (0,) or version >= ATOMIC_SINCE)

    def stream_name(self, namespace: str) -> str:
        """Return the name of the stream that holds the events of ``namespace``."""
        return stream_name(namespace, self.options.stream_name)

    def place(self, namespace: str) -> str:
        return self.stream_name(namespace)

    def version_cache(self, namespace: str) -> HeadCache:
        return self._shared(namespace).cache

    def check_cached_versions(
        self, namespace: str, actor_id: str | None = None
    ) -> Iterator[CachedVersion]:
        cache = self._shared(namespace).cache
        for entry in cache.entries():
            if actor_id in (None, entry.actor_id):
                cached, actual = entry.head, self._true_head(namespace, entry)
                cache.counters.stale += cached != actual
                yield CachedVersion(
                    entry.actor_id,
                    cached.version,
                    actual.version,
                    cached.appends,
                    actual.appends,
                    entry.writer,
                )

    async def _head(self, namespace: str, entry: Entry) -> Head:
        call, stream = await self.on_stream(namespace)
        return await History(stream, entry.actor_id).head(call, entry.head)

    _true_head = both_forms(_head, lambda: NO_HEAD)[0]

    def _shared(self, namespace: str) -> Shared:
        key = self.options.stream_key, namespace
        shared = _shared.get(key)
        if shared is None:
            shared = _shared.setdefault(key, Shared(self.options, self.stream_name(namespace)))
        return shared

    def forget(self, namespace: str) -> None:
        forget_streams(self.options, namespace)
        shared = self._shared(namespace)
        shared.cache.clear()
        shared.ids.clear()
        shared.listing = ActorIds()  # whoever reads the old one keeps it as it is

    # -- writing

    async def _append(
        self, namespace: str, events: Sequence[NewEvent], expected_version: int | None
    ) -> list[Placed]:
        call = self.call()
        stream = await open_stream(call, namespace)
        shared = self._shared(namespace)
        appender = Appender(stream, shared.cache, shared.ids, shared.turns)
        return await appender.append(call, events, expected_version)

    append, aappend = both_forms(_append)

    async def _save_snapshot(self, namespace: str, snapshot: Snapshot, state: bytes) -> None:
        call = self.call()
        stream = await open_stream(call, namespace, SNAPSHOTS)
        keep = self.options.snapshots_kept
        await Snapshots(stream, snapshot.actor_id).save(call, snapshot, state, keep)

    save_snapshot, asave_snapshot = both_forms(_save_snapshot)

    async def _delete_snapshots(
        self, namespace: str, actor_id: str, from_version: int, to_version: int
    ) -> int:
        call, stream = await self.on_stream(namespace, SNAPSHOTS)
        snapshots = Snapshots(stream, actor_id)
        held = await snapshots.versions(call)
        gone = [version for version in held if from_version <= version <= to_version]
        await snapshots.delete(call, gone)
        return len(gone)

    delete_snapshots, adelete_snapshots = both_forms(_delete_snapshots, int)

    async def _prune(self, namespace: str, actor_id: str, to_version: int) -> int:
        call, stream = await self.on_stream(namespace)
        return await prune(call, History(stream, actor_id), to_version)

    prune = both_forms(_prune, int)[0]

    async def _receipt(self, namespace: str) -> str:
        return await give_receipt(*await self.on_stream(namespace))

    receipt = both_forms(_receipt, str)[0]

    async def _is_outlived(self, namespace: str, receipt: str) -> bool:
        return await is_outlived(*await self.on_stream(namespace), receipt)

    is_outlived = both_forms(_is_outlived, bool)[0]

    # -- reading one actor

    async def _latest_version(self, namespace: str, actor_id: str) -> int:
        call, stream = await self.on_stream(namespace)
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

    latest_version, alatest_version = both_forms(_latest_version, int)

    async def _open_actor(
        self, namespace: str, actor_id: str, selected: ActorRange
    ) -> tuple[Call, ActorReader]:
        call, stream = await self.on_stream(namespace)
        return call, ActorReader(History(stream, actor_id), selected)

    read_actor, aread_actor = both_readers(_open_actor)

    async def _open_snapshots(
        self, namespace: str, actor_id: str, max_version: int | None
    ) -> tuple[Call, SnapshotReader]:
        call, stream = await self.on_stream(namespace, SNAPSHOTS)
        return call, SnapshotReader(Snapshots(stream, actor_id), max_version)

    read_snapshots, aread_snapshots = both_readers(_open_snapshots)

    # -- reading the whole store

    async def _open_store(
        self, namespace: str, selected: Selection
    ) -> tuple[Call, StoreReader | ActorSelection]:
        call, stream = await self.on_stream(namespace)
        if selected.actor_id is not None:
            return call, ActorSelection(History(stream, selected.actor_id), selected)
        return call, StoreReader(stream, selected)

    read_store, aread_store = both_readers(_open_store)

    def watch(self, namespace: str) -> Watch:
        subjects = f"{self.stream_name(namespace)}.{EVENTS}.>"
        return JetStreamWatch(lambda: self.call().connection, subjects)

    async def _event_at(self, namespace: str, position: int) -> Event | ReplayError | None:
        call, stream = await self.on_stream(namespace)
        sequence = position >> POSITION_BITS
        stored = await leader_get(call, stream, seq=sequence) if sequence else None
        items = [] if stored is None else await Judge(stream).items(call, stored)
        return next((item for item in items if item.position == position), None)

    event_at, aevent_at = both_forms(_event_at, lambda: None)

    async def _find_events(
        self, namespace: str, event_ids: Sequence[str], actor_ids: Sequence[str] | None
    ) -> dict[str, Event]:
        _, stream = await self.on_stream(namespace)
        wanted = set(event_ids)
        found: dict[str, Event] = {}
        readers: list[ActorReader] | list[StoreReader]
        if actor_ids is None:
            readers = [StoreReader(stream, Selection())]
        else:
            readers = [ActorReader(History(stream, each), ActorRange()) for each in actor_ids]
        for reader in readers:
            while not reader.done and len(found) < len(wanted):
                for item in await reader.page(self.call()):
                    if isinstance(item, Event) and item.id in wanted:
                        found.setdefault(item.id, item)
        return found

    find_events, afind_events = both_forms(_find_events, dict)

    async def _count_events(self, namespace: str, selected: Selection) -> int:
        if not selected.filters:
            _, stream = await self.on_stream(namespace)
            return await count_all(stream, self.call)
        _, reader = await self._open_store(namespace, selected)
        count = 0
        while not reader.done:
            count += len(await reader.page(self.call()))
        return count

    count_events, acount_events = both_forms(_count_events, int)

    async def _statistics(self, namespace: str) -> StoreStatistics:
        _, stream = await self.on_stream(namespace)
        return await estimate(stream, self.call)

    statistics, astatistics = both_forms(_statistics, lambda: StoreStatistics(0, 0))

    async def _list_actors(self, namespace: str, query: ActorQuery) -> ActorPage:
        after = query.after
        limit = UNLIMITED if query.time_limit is None else min(query.time_limit, UNLIMITED)
        until = time.monotonic() + limit
        _, stream = await self.on_stream(namespace)
        if query.name == "last_position":
            return await list_by_position(self.call, stream, query, after, until)
        listing = self._shared(namespace).listing
        return await list_by_id(self.call, stream, listing, query, after, until)

    list_actors, alist_actors = both_forms(_list_actors, ActorPage)

    async def _actor_summaries(
        self, namespace: str, actor_ids: Sequence[str]
    ) -> dict[str, ActorSummary]:
        found = await summaries(*await self.on_stream(namespace), actor_ids)
        return {name: summary for name, summary in found.items() if summary is not None}

    actor_summaries, aactor_summaries = both_forms(_actor_summaries, dict)

    # -- life cycle

    async def _setup(
        self, namespace: str, *, update: bool = False, check: bool = False
    ) -> list[str]:
        call = self.call()
        await call.connect()
        lines: list[str] = []
        for kind in (EVENTS, SNAPSHOTS):
            lines += await set_up(call, namespace, kind, update=update, check=check)
        return lines

    setup, asetup = both_forms(_setup)

    def check(self) -> list[CheckMessage]:
        return check_options(self.alias, self.options)

    def check_deployment(self) -> list[CheckMessage]:
        return check_durability(self.alias, self.options)

    def describe(self, namespace: str) -> dict[str, Any]:
        return {
            "servers": ", ".join(self.options.safe_servers),
            "stream": self.stream_name(namespace),
            "max_age": self.options.max_age,
            "replicas": self.options.replicas,
            "version_cache": self.options.version_cache or "of each process",
        }
