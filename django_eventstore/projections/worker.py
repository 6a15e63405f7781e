"""The worker: reads the store once for all of its shards, and applies what is new to each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, NamedTuple

from django.db import transaction

from ..comparison import last_position
from ..consumer_models import Consumer, ParkedEvent
from ..consuming import LeasedWork
from ..events import Event
from ..exceptions import EventStoreError, LeaseLost
from ..leases import DEFAULT_LEASE
from ..replay import ReplayError
from ..subscriptions import Stop
from .parking import Parking
from .registry import Projection

Item = Event | ReplayError

logger = logging.getLogger("django_eventstore")

BATCH_SIZE: Final = 500
"""The most events that are read, and applied in one transaction."""

LONGEST_BATCH: Final = 0.5
"""After so many seconds a transaction takes in no further event."""

FLUSH_SECONDS: Final = 1.0
"""How often the shards of which nothing was written are written."""


class ProjectionWorker(LeasedWork):
    """Applies a store's events to a projection, as one of any number of workers.

    Args:
        projection: the projection.
        consumer: the generation to work on; unless given, the live one.
        stop: set it and ``run()`` ends after the transaction that it is in.
        once: end when everything that was saved before it began is applied.
        before: only events in front of this position.
        lease: how long another worker waits for a sign of life before it takes over.
        exclusive: take all shards from all others.

    Attributes:
        applied: how many events it applied.
        before: see above.
    """

    def __init__(
        self,
        projection: Projection,
        *,
        consumer: Consumer | None = None,
        stop: Stop | None = None,
        once: bool = False,
        before: int | None = None,
        lease: timedelta = DEFAULT_LEASE,
        exclusive: bool = False,
    ) -> None:
        super().__init__(
            consumer or projection.open_consumer(),
            projection.event_store,
            stop=stop,
            lease=lease,
            exclusive=exclusive,
        )
        self.projection = projection
        self.applied = 0
        self._parking = Parking(self.consumer, projection.retries)
        self._blocked: set[str] = set()
        self._once = once
        self.before = before
        self._careful = False
        self._next_flush = 0.0

    def run(self) -> int:
        """Work until told to stop, or with ``once`` until all is done.

        Returns:
            How many events this worker applied.
        """
        self.loop()
        return self.applied

    def balance(self) -> bool:
        changed = super().balance()
        self._blocked = self._parking.blocked_actors()
        return changed

    def is_done(self) -> bool:
        if not self._once or self.balance():
            return False
        # This worker's shards are read to the end; those of others may be left to them, but one
        # that seems alive may be dead since a moment ago.
        others_are_done = self.leases.others_are_at(self._end() - 1)
        return others_are_done and not self._parking.has_pending()

    def _end(self) -> int:
        """Return the position at which ``once`` ends; that position itself is left out."""
        if self.before is None:
            # Not what is saved meanwhile: while others go on saving, that might never end.
            self.before = last_position(self.store) + 1
        return self.before

    def work(self) -> bool:
        if self._once:
            self._end()
        now = time.monotonic()
        if now >= self._next_flush:
            self.leases.flush()
            self._next_flush = now + FLUSH_SECONDS
        retried = self._retry() if self._blocked else False
        return self._read() or retried

    def _read(self) -> bool:
        """Apply the next page of the store; return whether there was one."""
        after = min(self.leases.positions.values())
        page = list(self.store.read_all_with_errors(after, before=self.before, limit=BATCH_SIZE))
        tasks = [
            _Task(item, item.position, self.leases.shard_of(item.actor_id or ""))
            for item in page
            if item.position is not None
        ]
        if not tasks:
            return False
        end: int | None = tasks[-1].position
        if batch := [task for task in tasks if self._is_to_apply(task)]:
            end = self._apply_batch(batch, tasks[-1].position)
        if end is not None:
            self.leases.pass_over(end)
        return True

    def _is_to_apply(self, task: _Task) -> bool:
        """Tell whether an event is wanted, this worker's, and not applied yet."""
        if isinstance(task.item, ReplayError):
            if task.item.skipped is not None:
                return False
        elif not self.projection.wants(task.item):
            return False
        at = self.leases.positions.get(task.shard)
        return at is not None and at < task.position

    def _apply_batch(self, batch: Sequence[_Task], end: int) -> int | None:
        """Apply ``batch``, or as much as fits in one transaction; return the position reached.

        None: it failed, and is to be read and applied once more, each event by itself, to find
        those that cannot be applied.
        """
        done = _Transaction(end, set(self._blocked))
        act = self._apply_or_park if self._careful else self._apply_event
        try:
            self._apply(batch, done, act)
        except LeaseLost:
            raise
        except Exception as error:
            if done.committed:
                logger.exception("%s: a callback on commit failed", self.consumer)
                return done.end
            if self._careful:
                raise
            # The connection may have been lost during the commit, and then nobody knows whether
            # it came about: the database has to be asked before anything is applied again.
            logger.info("%s goes through a batch event by event: %r", self.consumer, error)
            self._careful = True
            self.start_over()
            return None
        self._careful = False
        return done.end

    def _apply(
        self,
        batch: Sequence[_Task],
        done: _Transaction,
        act: Callable[[Item, int], bool],
    ) -> None:
        def remember() -> None:
            done.committed = True
            self.leases.remember(done.shards, done.end)
            self._blocked = done.blocked
            self.applied += done.applied

        deadline = time.monotonic() + LONGEST_BATCH
        with transaction.atomic(using=self.using):
            # The first callback: one of the projection's may fail, and then it is too late.
            transaction.on_commit(remember, using=self.using)
            for item, position, shard in batch:
                done.shards.add(shard)
                if item.actor_id in done.blocked:
                    self._parking.queue(item, shard)
                elif act(item, shard):
                    done.applied += 1
                elif item.actor_id is not None:
                    done.blocked.add(item.actor_id)
                if time.monotonic() >= deadline and position < batch[-1].position:
                    done.end = position
                    break
            self.leases.advance(done.shards, done.end)

    def _apply_event(self, item: Item, shard: int) -> bool:
        if isinstance(item, ReplayError):
            raise item.error
        self.projection.apply(item)
        return True

    def _apply_or_park(self, item: Item, shard: int) -> bool:
        try:
            with transaction.atomic(using=self.using):
                return self._apply_event(item, shard)
        except Exception as error:
            self._parking.park(item, shard, error)
            return False

    def _retry(self) -> bool:
        """Try the parked events whose time has come; return whether one was applied."""
        due = list(self._parking.due(self.leases.positions))
        if applied := sum(map(self._retry_event, due)):
            self.applied += applied
            self._blocked = self._parking.blocked_actors()
        return bool(applied)

    def _retry_event(self, row: ParkedEvent) -> bool:
        around = self.store.read_all_with_errors(row.position - 1, before=row.position + 1)
        item = next(iter(around), None)
        try:
            with transaction.atomic(using=self.using):
                self.leases.confirm(row.shard)
                self._parking.release(row)
                if item is None:
                    raise EventStoreError(f"There is no event at position {row.position} any more.")
                if not (isinstance(item, ReplayError) and item.skipped is not None):
                    self._apply_event(item, row.shard)
        except LeaseLost:
            raise
        except Exception as error:
            with transaction.atomic(using=self.using):
                self.leases.confirm(row.shard)
                self._parking.failed_again(row, error)
            return False
        return True


class _Task(NamedTuple):
    item: Item
    position: int
    shard: int


@dataclass(slots=True)
class _Transaction:
    """What one transaction takes in."""

    end: int
    blocked: set[str]
    shards: set[int] = field(default_factory=set)
    applied: int = 0
    committed: bool = False
