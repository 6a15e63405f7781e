"""The version cache: how far an actor is, so that an append need not read first.

A hint, never the truth: the server decides each append, and ``get_latest_version()`` always asks
it, compares, and drops an entry that is wrong.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from django.core.cache import caches

from ..values import CacheCounters, VersionCache


class Head(NamedTuple):
    """How far an actor is.

    Attributes:
        version: the version of its newest event; 0: it has none.
        appends: the number of its newest append.
        sequence: where the newest append stands in the stream.
        events: how many events it has been given in all.
    """

    version: int
    appends: int
    sequence: int
    events: int


NO_HEAD = Head(0, 0, 0, 0)


class Entry(NamedTuple):
    """What the cache says of an actor; ``writer`` is "host:process id", or "" if unknown."""

    actor_id: str
    head: Head
    writer: str


class HeadCache(VersionCache, Protocol):
    """Actor id -> Head. Thread-safe; may forget any entry at any time."""

    def get(self, actor_id: str) -> Head | None:
        """Return what is known of the actor, or None."""

    def set(self, actor_id: str, head: Head) -> None:
        """Remember ``head``."""

    def entries(self) -> Iterator[Entry]:
        """Yield what is remembered."""


class LocalHeadCache:
    """This process's own cache: the ``size`` actors used last, each for ``lifetime`` seconds."""

    shared = False

    def __init__(self, size: int, lifetime: float) -> None:
        self.counters = CacheCounters()
        self._size = size
        self._lifetime = lifetime
        self._lock = threading.Lock()
        self._heads: OrderedDict[str, tuple[Head, float]] = OrderedDict()

    def get(self, actor_id: str) -> Head | None:
        with self._lock:
            found = self._heads.get(actor_id)
            if found is None or found[1] < time.monotonic():
                self.counters.misses += 1
                return None
            self._heads.move_to_end(actor_id)
            self.counters.hits += 1
            return found[0]

    def set(self, actor_id: str, head: Head) -> None:
        with self._lock:
            self._heads[actor_id] = (head, time.monotonic() + self._lifetime)
            self._heads.move_to_end(actor_id)
            if len(self._heads) > self._size:
                self._heads.popitem(last=False)

    def delete(self, actor_id: str) -> None:
        with self._lock:
            self._heads.pop(actor_id, None)

    def clear(self) -> None:
        with self._lock:
            self._heads.clear()

    def entries(self) -> Iterator[Entry]:
        now = time.monotonic()
        with self._lock:
            heads = [
                (actor_id, head) for actor_id, (head, until) in self._heads.items() if until >= now
            ]
        writer = _writer()
        for actor_id, head in heads:
            yield Entry(actor_id, head, writer)


class SharedHeadCache:
    """A cache in Django's ``CACHES``, for all processes that use the alias.

    Args:
        alias: the alias in ``CACHES``.
        scope: what the entries belong to; two streams never share one.
        lifetime: seconds that an entry is used.
    """

    shared = True

    def __init__(self, alias: str, scope: str, lifetime: float) -> None:
        self.counters = CacheCounters()
        self._alias = alias
        self._scope = f"eventstore:{hashlib.sha256(scope.encode()).hexdigest()[:32]}"
        self._lifetime = lifetime
        # A cache cannot list its keys: each actor's first entry is noted in a numbered slot.
        self._noted: OrderedDict[str, None] = OrderedDict()

    def get(self, actor_id: str) -> Head | None:
        found = caches[self._alias].get(self._key(actor_id))
        if found is None:
            self.counters.misses += 1
            return None
        self.counters.hits += 1
        return Head(*found[1])

    def set(self, actor_id: str, head: Head) -> None:
        cache = caches[self._alias]
        cache.set(self._key(actor_id), (actor_id, tuple(head), _writer()), self._lifetime)
        if actor_id not in self._noted:
            self._note(cache, actor_id)

    def delete(self, actor_id: str) -> None:
        caches[self._alias].delete(self._key(actor_id))

    def clear(self) -> None:
        for entry in self.entries():
            self.delete(entry.actor_id)

    def entries(self) -> Iterator[Entry]:
        cache = caches[self._alias]
        seen = set()
        for number in range(1, cache.get(f"{self._scope}:slots", 0) + 1):
            actor_id = cache.get(f"{self._scope}:slot:{number}")
            if actor_id is None or actor_id in seen:
                continue
            seen.add(actor_id)
            if (found := cache.get(self._key(actor_id))) is not None:
                yield Entry(actor_id, Head(*found[1]), found[2])

    def _key(self, actor_id: str) -> str:
        # Hashed: a cache's keys are short and plain, actor ids need not be.
        return f"{self._scope}:{hashlib.sha256(actor_id.encode()).hexdigest()}"

    def _note(self, cache: Any, actor_id: str) -> None:
        self._noted[actor_id] = None
        if len(self._noted) > 100_000:
            self._noted.popitem(last=False)
        if not cache.add(f"{self._scope}:noted:{self._key(actor_id)}", 1, None):
            return
        cache.add(f"{self._scope}:slots", 0, None)
        cache.set(f"{self._scope}:slot:{cache.incr(f'{self._scope}:slots')}", actor_id, None)


def _writer() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
