"""The ids that actors are known to hold: so that importing many events reads a history once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

MAX_IDS: Final = 200_000
"""How many ids are remembered, in all."""


class StoredIds:
    """Actor id -> (number of appends, the ids in all of them). The actors used last are kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._actors: OrderedDict[str, tuple[int, set[str]]] = OrderedDict()
        self._count = 0

    def get(self, actor_id: str) -> tuple[int, set[str]] | None:
        """Return how many of the actor's appends are known, and their ids; None: not looked at."""
        with self._lock:
            if actor_id not in self._actors:
                return None
            self._actors.move_to_end(actor_id)
            return self._actors[actor_id]

    def put(self, actor_id: str, appends: int, ids: set[str]) -> None:
        """Remember that the actor's first ``appends`` appends hold ``ids``, and no others."""
        with self._lock:
            self._forget(actor_id)
            self._actors[actor_id] = appends, ids
            self._count += len(ids)
            while self._count > MAX_IDS and len(self._actors) > 1:
                self._forget(next(iter(self._actors)))

    def add(self, actor_id: str, append: int, ids: Iterable[str]) -> None:
        """Remember what append number ``append`` holds, if all before it are known."""
        with self._lock:
            known, held = self._actors.get(actor_id, (append, set()))
            if known == append - 1:
                before = len(held)
                held.update(ids)
                self._count += len(held) - before
                self._actors[actor_id] = append, held

    def clear(self) -> None:
        """Forget all actors."""
        with self._lock:
            self._actors.clear()
            self._count = 0

    def _forget(self, actor_id: str) -> None:
        _, ids = self._actors.pop(actor_id, (0, set()))
        self._count -= len(ids)
