"""Rebuilding a projection: a new generation beside the live one, compared, and put in place.

What one generation is (its tables, its checkpoint, its parked events) stays together. Whatever
is broken off goes on when it is run again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, transaction
from django.db.models import Max
from django.db.models.functions import Now

from ..exceptions import EventStoreError
from ..models import Consumer, ConsumerStatus
from ..store.subscriptions import Stop
from ..workers.consumers import consumer_figures, create_consumer, find_consumer, first_position
from ..workers.leases import DEFAULT_LEASE
from ..workers.reader import ReadOptions
from .registry import Projection, get_projection
from .running import work
from .table_differences import TableDifference, table_differences
from .tables import ProjectionTables
from .worker import ProjectionWorker

_PATIENCE_SECONDS: Final = 60


@dataclass(slots=True)
class RebuildReport:
    """What a rebuild came to.

    Attributes:
        finished: False where it was stopped before its end; run it again to go on.
        swapped: whether the new generation is live now.
        parked: how many events could not be applied to the new generation.
        live_lag: how many events the live tables were behind the new ones when they were
            compared; differences may come from these. 0: they were at the same position.
        tables: how the tables differ.
    """

    finished: bool = False
    swapped: bool = False
    parked: int = 0
    live_lag: int = 0
    tables: list[TableDifference] = field(default_factory=list)


class Rebuild:
    """Builds a projection's tables anew, beside the live ones, and puts them in place.

    It makes the projection's models mean other tables, for all of this process: run it in a
    process of its own, as the command ``rebuild_projection`` does. Applying raw SQL with table
    names written out goes past that; take them from ``Model._meta.db_table``.

    Args:
        projection: which.
        workers: how many processes build; 1: this one.
        stop: set it and ``run()`` ends early.
        lease: see ``ProjectionWorker``.
        on_progress: called now and then while events are applied, with the position up to which
            all are, and the position at which that ends.

    Raises:
        ImproperlyConfigured: the projection cannot be rebuilt; says why.
    """

    def __init__(
        self,
        projection: Projection,
        *,
        workers: int = 1,
        stop: Stop | None = None,
        lease: timedelta = DEFAULT_LEASE,
        on_progress: Callable[[int, int], None] = lambda position, end: None,
    ) -> None:
        self.projection = projection
        self.tables = ProjectionTables(projection)
        self._using = projection.using
        self._workers = workers
        self._stop = stop or threading.Event()
        self._lease = lease
        self._on_progress = on_progress
        self._finish_broken_swap()
        store = projection.event_store
        self._live = (
            find_consumer(projection.name, store.namespace, using=self._using)
            or projection.open_consumer()
        )
        # Else the projection moves to another store, whose positions say nothing of the live one.
        self._same_store = self._live.place == store.place
        self._check_alone()

    def run(self, *, swap: bool = True) -> RebuildReport:
        """Build, compare, and with ``swap`` put the new tables in place of the live ones.

        Building happens while the live projection goes on. For comparing and swapping its
        workers are kept out; readers go on reading.

        Raises:
            EventStoreError: somebody has held the live tables for too long; run it again.
        """
        building = self._building()
        self._build(building)
        if self._stop.is_set():
            return RebuildReport()
        return self._put_in_place(building, swap=swap)

    def roll_back(self) -> RebuildReport:
        """Bring the tables that were live before up to date, and put them in place again.

        Raises:
            ImproperlyConfigured: there are none.
        """
        retired = self._generations(ConsumerStatus.RETIRED).order_by("-pk").first()
        if retired is None:
            raise ImproperlyConfigured(f"{self.projection.name!r} has no former tables.")
        return self._put_in_place(retired, swap=True)

    def discard(self) -> None:
        """Drop everything but the live generation."""
        for consumer in self._generations(ConsumerStatus.BUILDING, ConsumerStatus.RETIRED):
            self.tables.drop(consumer.generation)
            consumer.delete(using=self._using)

    # -- inside

    def _generations(self, *statuses: str) -> Any:
        name, namespace = self.projection.name, self.projection.event_store.namespace
        return Consumer.objects.using(self._using).filter(
            name=name, namespace=namespace, status__in=statuses
        )

    def _check_alone(self) -> None:
        others = Consumer.objects.using(self._using).filter(name=self.projection.name)
        if other := others.exclude(namespace=self._live.namespace).first():
            raise ImproperlyConfigured(
                f"The tables of {self.projection.name!r} also hold what comes from namespace "
                f"{other.namespace!r}, which a rebuild of {self._live.namespace!r} would lose."
            )

    def _building(self) -> Consumer:
        building = self._generations(ConsumerStatus.BUILDING).first()
        if building is not None and building.shard_count == self.projection.shards:
            return building  # type: ignore[no-any-return]
        self.discard()
        # Never one that was there before: the names of its indexes live on in the live tables.
        generation = max(time.time_ns() // 1_000_000, self._live.generation + 1)
        self.tables.create(generation)
        return create_consumer(
            self.projection.name,
            self.projection.event_store,
            shards=self.projection.shards,
            using=self._using,
            generation=generation,
            status=ConsumerStatus.BUILDING,
        )

    def _build(self, building: Consumer) -> None:
        end = self.projection.event_store.last_position()
        work(
            [self.projection.name],
            stop=self._stop,
            workers=self._workers,
            once=True,
            lease=self._lease,
            make=make_builder,
            on_wait=lambda: self._on_progress(first_position(building), end),
        )

    def _put_in_place(self, other: Consumer, *, swap: bool) -> RebuildReport:
        alive = self._live.workers.filter(expires_at__gt=Now())
        was_running = self._same_store and alive.exists()
        options: ReadOptions = {
            "stop": self._stop,
            "lease": self._lease,
            "once": True,
            "exclusive": True,
        }
        live = ProjectionWorker(self.projection, consumer=self._live, **options)
        with live.leases.membership():
            self._keep_others_out(live)
            # Both at one position, so that what differs is not what one of them has yet to see.
            # Not the live tables, though, where nobody keeps them up to date.
            newest = max(_position(other), _position(self._live) if self._same_store else 0)
            if was_running:
                live.before = newest + 1
                live.keep_working()
                live.leases.flush()
            options["before"] = newest + 1
            _Builder(self.projection, self.tables, consumer=other, **options).run()
            if self._stop.is_set():
                return RebuildReport()
            report = self._compare(other)
            if swap:
                self._swap(live, other)
                report.swapped = True
        return report

    def _keep_others_out(self, live: ProjectionWorker) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while live.balance() or len(live.leases.positions) < self._live.shard_count:
            if time.monotonic() > deadline:
                raise EventStoreError(
                    f"A worker of {self._live} is in the middle of a transaction for more than "
                    f"{_PATIENCE_SECONDS} seconds. What is built is kept; run it again."
                )

    def _compare(self, other: Consumer) -> RebuildReport:
        store = self.projection.event_store
        figures = consumer_figures(other, store)
        behind = consumer_figures(self._live, store).lag - figures.lag if self._same_store else 0
        return RebuildReport(
            finished=True,
            parked=figures.parked,
            live_lag=max(behind, 0),
            tables=table_differences(self.tables, other.generation, self._using),
        )

    def _swap(self, live: ProjectionWorker, other: Consumer) -> None:
        pair = Consumer.objects.using(self._using).filter(pk__in=(self._live.pk, other.pk))
        try:
            with transaction.atomic(using=self._using):
                live.leases.confirm(range(self._live.shard_count))
                # MariaDB and MySQL commit this as they rename. If they get no further, the names
                # of the tables tell which generation is live; see _finish_broken_swap().
                pair.update(status=ConsumerStatus.SWAPPING)
                self.tables.swap(self._live.generation, other.generation)
                pair.filter(pk=self._live.pk).update(status=ConsumerStatus.RETIRED)
                pair.filter(pk=other.pk).update(status=ConsumerStatus.LIVE)
        except DatabaseError as error:
            self._finish_broken_swap()
            raise EventStoreError(
                f"The tables of {self.projection.name!r} could not be renamed; something may have "
                f"held them for too long. What is built is kept; run it again. ({error})"
            ) from error

    def _finish_broken_swap(self) -> None:
        swapping = list(self._generations(ConsumerStatus.SWAPPING).order_by("generation"))
        for consumer in swapping:
            if not self.tables.exist(consumer.generation):
                status = ConsumerStatus.LIVE
            elif consumer is swapping[-1]:
                status = ConsumerStatus.BUILDING
            else:
                status = ConsumerStatus.RETIRED
            self._generations(ConsumerStatus.SWAPPING).filter(pk=consumer.pk).update(status=status)


class _Builder(ProjectionWorker):
    """Works on a generation that is not live."""

    def __init__(self, projection: Projection, tables: ProjectionTables, **options: Any) -> None:
        super().__init__(projection, **options)
        self._tables = tables

    def run(self) -> int:
        with self._tables.redirected(self.consumer.generation):
            return super().run()


def make_builder(name: str, **options: Any) -> ProjectionWorker:
    """Return a worker on the generation that is being built; for ``work()``."""
    projection = get_projection(name)
    building = Consumer.objects.using(projection.using).get(
        name=name, namespace=projection.event_store.namespace, status=ConsumerStatus.BUILDING
    )
    return _Builder(projection, ProjectionTables(projection), consumer=building, **options)


def _position(consumer: Consumer) -> int:
    return consumer.shards.aggregate(last=Max("position"))["last"] or 0
