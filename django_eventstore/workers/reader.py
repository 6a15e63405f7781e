"""Reading a store once for all of a worker's shards; what came of it and how far commit as one."""

from __future__ import annotations

import logging
import math
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, Unpack

from django.db import connections, transaction

from ..backends.values import Selection
from ..events import Event, ReplayError
from ..models import Consumer
from ..store import EventStore
from .loop import LeasedWork, WorkOptions

logger = logging.getLogger("django_eventstore")

Item = Event | ReplayError

BATCH_SIZE: Final = 500
"""The most events that are read, and worked off in one transaction."""

LONGEST_BATCH: Final = 0.5
"""After so many seconds a transaction takes in no further event; on SQLite after a fifth."""

ROOM_SECONDS: Final = 0.02
"""How long others can write between two transactions, where one writer keeps out all others.

After a shorter transaction only for as long as that took."""

FLUSH_SECONDS: Final = 1.0
"""How often the shards of which nothing was written are written."""


class Task(NamedTuple):
    """An item of the store, and the shard that it is in."""

    item: Item
    position: int
    shard: int


class ReadOptions(WorkOptions, total=False):
    """How to work, and what to read; see ``ShardReader``."""

    once: bool
    before: int | None


class ShardReader(LeasedWork):
    """Works off a store's events, as one of any number of workers.

    Args:
        once: end when everything that was saved before it began is worked off.
        before: only events in front of this position.
        consumer, store, **options: see ``LeasedWork``.

    Attributes:
        once, before: see above.
    """

    def __init__(
        self,
        consumer: Consumer,
        store: EventStore,
        *,
        once: bool = False,
        before: int | None = None,
        **options: Unpack[WorkOptions],
    ) -> None:
        super().__init__(consumer, store, **options)
        self.before = before
        # On SQLite heartbeats, other workers and the application wait for each transaction.
        self._is_one_writer = not connections[self.using].features.has_select_for_update
        self._longest_batch = LONGEST_BATCH / 5 if self._is_one_writer else LONGEST_BATCH
        self.once = once
        self._next_flush = 0.0

    def read(self, selected: Selection) -> Iterator[Item]:
        """Read from the store."""
        return self.store.read_all_with_errors(
            selected.after, before=selected.before, limit=selected.limit
        )

    def wants(self, item: Item) -> bool:
        """Tell whether the item is to be worked off, and not to be passed over."""
        return True

    @abstractmethod
    def work_off(self, batch: Sequence[Task], end: int) -> int | None:
        """Work off ``batch``, or as much as fits in one transaction.

        Args:
            batch: not empty, in the order of positions.
            end: where all is done up to, if all of the batch is.

        Returns:
            The position up to which all is done; None: nothing was, read it again.
        """

    def commit(
        self,
        batch: Sequence[Task],
        end: int,
        act: Callable[[Task], None],
        finish: Callable[[], None] = lambda: None,
        *,
        whole: bool = False,
    ) -> int:
        """Act on ``batch``, or as much of it as time allows, in one transaction that says so.

        Args:
            batch, end: see ``work_off()``.
            act: called with each task.
            finish: called last in the transaction.
            whole: act on all of it, however long that takes.

        Returns:
            The position up to which all is done.

        Raises:
            LeaseLost: another worker has taken a shard; nothing is committed.
            Exception: what ``act`` or the commit raised, and then nothing is known to be
                committed: where the connection was lost, the database has to be asked.
        """
        shards: set[int] = set()
        committed = False

        def remember() -> None:
            nonlocal committed
            committed = True
            self.leases.remember(shards, end)

        started = time.monotonic()
        deadline = started + (math.inf if whole else self._longest_batch)
        try:
            with transaction.atomic(using=self.using):
                # The first callback: one of those that ``act`` adds may fail, too late to matter.
                transaction.on_commit(remember, using=self.using)
                for task in batch:
                    shards.add(task.shard)
                    act(task)
                    if time.monotonic() >= deadline and task.position < batch[-1].position:
                        end = task.position
                        break
                self.leases.advance(shards, end)
                finish()
        except Exception:
            if not committed:
                raise
            logger.exception("%s: a callback on commit failed", self.consumer)
        if self._is_one_writer:
            time.sleep(min(ROOM_SECONDS, time.monotonic() - started))
        return end

    def is_done(self) -> bool:
        return self.once and self.all_are_at(self.end() - 1)

    def end(self) -> int:
        """Return the position at which ``once`` ends; that position itself is left out."""
        if self.before is None:
            # Not what is saved meanwhile: while others go on saving, that might never end.
            self.before = self.store.last_position() + 1
        return self.before

    def work(self) -> bool:
        if self.once:
            self.end()
        now = time.monotonic()
        if now >= self._next_flush:
            self.leases.flush()
            self._next_flush = now + FLUSH_SECONDS
        return self._read()

    def _read(self) -> bool:
        """Work off the next page of the store; return whether there was one."""
        after = min(self.leases.positions.values())
        tasks = [
            Task(item, item.position, self.leases.shard_of(item.actor_id or ""))
            for item in self.read(Selection(after=after, before=self.before, limit=BATCH_SIZE))
            if item.position is not None
        ]
        if not tasks:
            return False
        end: int | None = tasks[-1].position
        if batch := [task for task in tasks if self._is_left(task)]:
            end = self.work_off(batch, tasks[-1].position)
        if end is not None:
            self.leases.pass_over(end)
        return True

    def _is_left(self, task: Task) -> bool:
        """Tell whether an item is wanted, this worker's, and not worked off yet."""
        at = self.leases.positions.get(task.shard)
        return at is not None and at < task.position and self.wants(task.item)
