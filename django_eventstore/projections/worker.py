"""The worker: applies what is new in its shards, exactly once by ``workers/reader.py``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Unpack

from django.db import transaction

from ..events import ReplayError
from ..exceptions import EventStoreError, LeaseLost
from ..models import Consumer, ParkedEvent
from ..workers.parking import Parking
from ..workers.reader import Item, ReadOptions, ShardReader, Task
from .registry import Projection

logger = logging.getLogger("django_eventstore")


class ProjectionWorker(ShardReader):
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
    """

    def __init__(
        self,
        projection: Projection,
        *,
        consumer: Consumer | None = None,
        **options: Unpack[ReadOptions],
    ) -> None:
        consumer = consumer or projection.open_consumer()
        super().__init__(consumer, projection.event_store, **options)
        self.projection = projection
        self.applied = 0
        self._parking = Parking(self.consumer, projection.retries)
        self._blocked: set[str] = set()
        self._careful = False

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
        return super().is_done() and not self._parking.has_pending()

    def work(self) -> bool:
        retried = self._retry() if self._blocked else False
        return super().work() or retried

    def wants(self, item: Item) -> bool:
        if isinstance(item, ReplayError):
            return item.skipped is None
        return self.projection.wants(item)

    def work_off(self, batch: Sequence[Task], end: int) -> int | None:
        """Apply ``batch``; where that fails, once more, to find what cannot be applied."""
        act = self._apply_or_park if self._careful else self._apply_event
        blocked = set(self._blocked)
        applied = 0

        def take_in(task: Task) -> None:
            nonlocal applied
            item = task.item
            if item.actor_id in blocked:
                self._parking.queue(item, task.shard)
            elif act(item, task.shard):
                applied += 1
            elif item.actor_id is not None:
                blocked.add(item.actor_id)

        try:
            end = self.commit(batch, end, take_in)
        except LeaseLost:
            raise
        except Exception as error:
            if self._careful:
                raise
            # The connection may have been lost during the commit, and then nobody knows whether
            # it came about: the database has to be asked before anything is applied again.
            logger.info("%s goes through a batch event by event: %r", self.consumer, error)
            self._careful = True
            self.start_over()
            return None
        self._careful = False
        self._blocked = blocked
        self.applied += applied
        return end

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
                self.leases.confirm([row.shard])
                self._parking.release(row)
                if item is None:
                    raise EventStoreError(f"There is no event at position {row.position} any more.")
                if not (isinstance(item, ReplayError) and item.skipped is not None):
                    self._apply_event(item, row.shard)
        except LeaseLost:
            raise
        except Exception as error:
            with transaction.atomic(using=self.using):
                self.leases.confirm([row.shard])
                self._parking.failed_again(row, error)
            return False
        return True
