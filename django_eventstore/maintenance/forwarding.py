"""Forwarding: the events of one store to another, each once, in order per actor, for ever.

An application saves events in the database transaction of its own rows; a forwarder brings them
to a store that others read. It may be killed at any point, and two may run by mistake: the
target knows the ids and refuses a version twice, so an event that is sent again is there once.
That alone makes it correct. The lease only keeps a second forwarder from doing the work twice,
and the checkpoint, written after the target has acknowledged, saves sending everything again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from operator import attrgetter

from django.db import transaction
from django.db.models import QuerySet

from ..backends.values import Selection
from ..events import Event
from ..events.ndjson import BadLine, Line
from ..exceptions import (
    DuplicateEventError,
    EventStoreError,
    EventTooLargeError,
    VersionConflictError,
)
from ..models import Consumer, ParkedEvent, ShardLease
from ..store import EventStore
from ..store.subscriptions import Stop
from ..workers.consumers import (
    ConsumerFigures,
    bookkeeping_database,
    consumer_figures,
    open_consumer,
)
from ..workers.leases import DEFAULT_LEASE
from ..workers.reader import Item, ShardReader, Task
from .transfer import import_events, split_into_appends

logger = logging.getLogger("django_eventstore")


class Forwarder(ShardReader):
    """Sends what one store holds to another.

    The checkpoint is kept in the source's database, or in the default one where the source is
    none. Events go as they are stored, with their ids, versions, metadata and timestamps;
    positions are each store's own.

    Args:
        source: the store to read.
        target: the store to write to. Nobody else may write to the actors that come from the
            source.
        follow: go on with what is saved later, until ``stop`` is set.
        from_start: send everything again, whatever the checkpoint says; what is there already is
            recognised.
        stop: set it and ``run()`` ends after the events that it is at.
        lease: how long another forwarder waits for a sign of life before it takes over.
        on_progress: called after each page, with the number of events sent so far.
    """

    def __init__(
        self,
        source: EventStore,
        target: EventStore,
        *,
        follow: bool = False,
        from_start: bool = False,
        stop: Stop | None = None,
        lease: timedelta = DEFAULT_LEASE,
        on_progress: Callable[[int], None] = lambda sent: None,
    ) -> None:
        consumer = open_forwarding(source, target, from_start=from_start)
        super().__init__(consumer, source, once=not follow, stop=stop, lease=lease)
        self.sent = 0
        self._target = target.with_namespace(target.namespace)
        self._from_start = from_start
        self._is_checked = False
        self._patience = 2 * lease
        self._on_progress = on_progress

    def run(self) -> int:
        """Send what was saved until now, or with ``follow`` until told to stop.

        Returns:
            How many events the target has acknowledged to this forwarder; some may have been
            sent before.

        Raises:
            EventStoreError: the target refuses an event, so that nothing behind it can be sent,
                or does not hold what was sent to it; or, without ``follow``, another forwarder is
                at work.
        """
        self._give_up_at = time.monotonic() + self._patience.total_seconds()
        self.loop()
        return self.sent

    def is_done(self) -> bool:
        if not self.once:
            return False
        if self.leases.positions:
            return True
        self.balance()
        others = self.leases.settled and not self.leases.positions
        if others and time.monotonic() > self._give_up_at:
            raise EventStoreError(f"Another process does {self.consumer} already.")
        return False

    def work(self) -> bool:
        if not self._is_checked:
            self._check_checkpoint()
        return super().work()

    def read(self, selected: Selection) -> Iterator[Item]:
        # The primitive: what is stored, before upcasters have their way with it.
        return self.store.backend.read_store(self.consumer.namespace, selected)

    def work_off(self, batch: Sequence[Task], end: int) -> int:
        events = [task.item for task in batch if isinstance(task.item, Event)]
        for run in split_into_appends(self._target, events, attrgetter("actor_id")):
            self._send(run)
        receipt = self._target.backend.receipt(self._target.namespace) if events else None

        def note_receipt() -> None:
            if receipt is not None:
                self._shard.update(receipt=receipt)

        # Whole: all of it is sent.
        end = self.commit(batch, end, self._leave_out, note_receipt, whole=True)
        self.sent += len(events)
        self._on_progress(self.sent)
        return end

    @property
    def _shard(self) -> QuerySet[ShardLease]:
        return ShardLease.objects.using(self.using).filter(consumer=self.consumer)

    def _check_checkpoint(self) -> None:
        """Make sure that the target holds what was sent last: it may be another one by now."""
        if self._from_start:
            self._from_start = False
            with transaction.atomic(using=self.using):
                self.leases.advance([0], 0)
                self._shard.update(receipt="")
            self.leases.remember([0], 0)
        sent = Selection(before=self.leases.positions[0] + 1, reverse=True)
        items = self.store.backend.read_store(self.consumer.namespace, sent)
        last = next((item for item in items if isinstance(item, Event)), None)
        if last and self._target.get_latest_version(last.actor_id) < (last.version or 0):
            self._check_retention(last)
        self._is_checked = True

    def _check_retention(self, last: Event) -> None:
        """Make sure that the target dropped ``last``, which was sent last, because of its age."""
        receipt = self._shard.get().receipt
        if receipt and self._target.backend.is_outlived(self._target.namespace, receipt):
            logger.info(
                "%s: what was sent before has aged out of the target; going on behind it.",
                self.consumer,
                extra={"consumer": str(self.consumer), "position": self.leases.positions[0]},
            )
            return
        then = f" When that event was there, the target was: {receipt}." if receipt else ""
        raise EventStoreError(
            f"{self._target!r} does not hold event {last.id} (version {last.version} of actor "
            f"{last.actor_id!r}), which was sent to the target of {self.consumer}: it is another "
            f"store now, was emptied, or was restored from an older state; that the event just "
            f"aged out is not certain.{then} See what the alias names in EVENT_STORES, and correct "
            f"it if it is the wrong one. Otherwise start once with --from-start to send everything "
            f"again; what is there is recognised."
        )

    def _send(self, run: Sequence[Event]) -> None:
        """Store the events in the target, unless they are there."""
        run = [replace(event, position=None) for event in run]
        try:
            self._target.save_events(run)
        except (VersionConflictError, DuplicateEventError, EventTooLargeError):
            # Some were sent before, by a forwarder that did not live to write it down, or by one
            # that runs beside this one; or they are too much for one append.
            self._send_missing(run)

    def _send_missing(self, run: Sequence[Event]) -> None:
        refused: list[BadLine] = []
        lines = [Line(number, event) for number, event in enumerate(run)]
        import_events(self._target, lines, on_bad=refused.append)
        if refused:
            event = run[refused[0].number]
            raise EventStoreError(
                f"{self._target!r} refuses event {event.id} (version {event.version} of actor "
                f"{event.actor_id!r}), and nothing can be forwarded past it: {refused[0].reason}"
            )

    def _leave_out(self, task: Task) -> None:
        error = task.item
        if isinstance(error, Event):
            return
        logger.error(
            "%s leaves out what cannot be read. %s",
            self.consumer,
            error,
            extra={
                "consumer": str(self.consumer),
                "position": error.position,
                "actor_id": error.actor_id,
            },
        )
        ParkedEvent.objects.using(self.using).get_or_create(
            consumer=self.consumer,
            position=error.position or 0,
            defaults={"shard": 0, "actor_id": error.actor_id or "", "error": str(error.error)},
        )


def open_forwarding(
    source: EventStore, target: EventStore, *, from_start: bool = False
) -> Consumer:
    """Return the rows that say how far the forwarding from one store to the other is.

    Raises:
        ImproperlyConfigured: they say it of another source; not with ``from_start``.
    """
    name = f"forward:{source.alias}>{target.alias}"
    if target.namespace != source.namespace:
        name += f":{target.namespace}"
    using = bookkeeping_database(source)
    if from_start:
        former = Consumer.objects.using(using).filter(name=name, namespace=source.namespace)
        former.update(place=source.place)
    return open_consumer(
        name, source, shards=1, using=using, way_out="start once with --from-start"
    )


def forwarding_figures(source: EventStore, target: EventStore) -> ConsumerFigures:
    """Return how far the forwarding is, and how much is left.

    Raises:
        StoreUnavailableError: the source cannot be reached.
    """
    return consumer_figures(open_forwarding(source, target), source)
