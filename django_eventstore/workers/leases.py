"""Shards shared out among workers: each has one owner at a time, by a lease with a fencing number.

Workers of a consumer register and send heartbeats, both by the database's clock; the shards are
dealt out among those alive by a ``ShardManager``, so all come to the same answer without talking
to each other. A shard is given up by its owner, or taken from one whose heartbeat ran out. Each
taking gets a new, higher fencing number, and whatever an owner commits is conditional on the
number that it holds: an owner that stalled, lost its shards and wakes up cannot commit anything.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import uuid4

from django.db import DatabaseError, InterfaceError, connections, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Now

from ..exceptions import ConsumerReplaced, LeaseLost
from ..models import Consumer, ConsumerWorker, ShardLease
from ..sharding import ShardConfig, ShardManager

logger = logging.getLogger("django_eventstore")

DEFAULT_LEASE: Final = timedelta(seconds=10)
"""How long a worker that says nothing more keeps its shards."""


class ShardLeases:
    """One worker's share of a consumer's shards.

    Args:
        consumer: whose shards.
        lease: how long the worker counts as alive after each heartbeat.
        exclusive: take every shard, from living owners too, and keep the others out.

    The work is one thread's; the heartbeat has another, inside ``membership()``.

    Attributes:
        positions: shard -> the position that its work is at, of the shards held. It may be ahead
            of what is written: where nothing of a shard happened, nothing needs to be.
        settled: whether, at the last ``balance()``, every shard had a living owner.
        error: what keeps the worker from going on; told with the next heartbeat.
    """

    def __init__(
        self, consumer: Consumer, *, lease: timedelta = DEFAULT_LEASE, exclusive: bool = False
    ) -> None:
        self.consumer = consumer
        self.positions: dict[int, int] = {}
        self.settled = False
        self.error = ""
        self._written: dict[int, int] = {}
        self._fencing = 0
        self._members: set[int] = set()
        self._lease = lease
        self._exclusive = exclusive
        self._using = str(consumer._state.db)
        self._worker = self._new_worker()

    @property
    def balance_seconds(self) -> float:
        """How often ``balance()`` is to be called, and a heartbeat is sent."""
        return self._lease.total_seconds() / 3

    def members_changed(self) -> bool:
        """Tell whether a worker came or went since the last ``balance()``."""
        return self._alive_workers().keys() != self._members

    def shard_of(self, actor_id: str) -> int:
        """Return the shard of an actor; what belongs to no actor is in the first."""
        return _shards(frozenset(), self.consumer.shard_count).get_shard(actor_id or " ")

    @contextmanager
    def membership(self) -> Iterator[None]:
        """Send heartbeats inside, and give everything up at the end; ``balance()`` registers."""
        done = threading.Event()
        heartbeat = threading.Thread(
            target=self._send_heartbeats, args=(done,), name="heartbeat", daemon=True
        )
        heartbeat.start()
        try:
            yield
        finally:
            done.set()
            heartbeat.join()
            self._leave()

    def balance(self) -> bool:
        """Give up the shards that others should have, and take those that this worker should.

        Returns:
            Whether ``positions`` has other shards than before.

        Raises:
            LeaseLost: another worker took shards meanwhile; ``forget()`` and balance again.
            ConsumerReplaced: the consumer is not live (or not being built) any more.
        """
        alive = self._alive_workers()
        if self._worker.pk not in alive:
            # It is new, or stalled for longer than its lease and may have been cleared away.
            if not self._beat():
                self._register()
            # Read once more: of two that register at once, one must see the other, or each would
            # take the shards of the other as those of nobody.
            alive = self._alive_workers()
            alive[self._worker.pk] = self._worker
        self._members = set(alive)
        owners = dict(self._leases.values_list("shard", "owner"))
        before = set(self.positions)
        for shard in before:
            if owners[shard] != self._worker.pk:
                del self.positions[shard]
        wanted = self._wanted(alive)
        if surplus := self.positions.keys() - wanted:
            self._give_up(surplus)
        missing = {
            shard
            for shard in wanted - self.positions.keys()
            if self._exclusive or owners[shard] not in alive or owners[shard] == self._worker.pk
        }
        if missing:
            self._take(missing, alive)
        self.settled = all(
            shard in self.positions or (owner != self._worker.pk and owner in alive)
            for shard, owner in owners.items()
        )
        return before != self.positions.keys()

    def others_are_at(self, position: int) -> bool:
        """Tell whether all shards but this worker's are at ``position``, or beyond it."""
        others = self._leases.exclude(owner=self._worker)
        return not others.filter(position__lt=position).exists()

    def advance(self, shards: Collection[int], position: int) -> None:
        """Write that ``shards`` are at ``position``, in the transaction of what they made.

        Raises:
            LeaseLost: a shard has another owner by now; nothing may be committed.
        """
        self._update(shards, position=position)

    def remember(self, shards: Collection[int], position: int) -> None:
        """Note that what ``advance()`` wrote is committed."""
        for shard in shards:
            self.positions[shard] = self._written[shard] = position

    def confirm(self, shards: Collection[int]) -> None:
        """Make sure that the shards are held until the end of the transaction.

        Raises:
            LeaseLost: one is not; nothing may be committed.
        """
        self._update(shards, fencing=self._fencing)

    def pass_over(self, position: int) -> None:
        """Note, in memory, that nothing of the held shards is left up to ``position``."""
        for shard, at in self.positions.items():
            if at < position:
                self.positions[shard] = position

    def flush(self) -> None:
        """Write how far the shards are of which nothing was written.

        Raises:
            LeaseLost: a shard has another owner by now.
        """
        behind: dict[int, list[int]] = {}
        for shard, position in self.positions.items():
            if self._written[shard] < position:
                behind.setdefault(position, []).append(shard)
        if behind:
            with transaction.atomic(using=self._using):
                for position, shards in behind.items():
                    self.advance(shards, position)
            for position, shards in behind.items():
                self.remember(shards, position)

    def forget(self) -> None:
        """Drop what is in memory, after a failure; ``balance()`` takes it up again."""
        self.positions.clear()

    # -- inside

    @property
    def _consumers(self) -> QuerySet[Consumer]:
        """The consumer's row, while that is what it was when the worker began."""
        return Consumer.objects.using(self._using).filter(
            pk=self.consumer.pk, status=self.consumer.status
        )

    @property
    def _leases(self) -> QuerySet[ShardLease]:
        return ShardLease.objects.using(self._using).filter(consumer=self.consumer)

    @property
    def _workers(self) -> QuerySet[ConsumerWorker]:
        return ConsumerWorker.objects.using(self._using).filter(consumer=self.consumer)

    def _update(self, shards: Collection[int], **values: Any) -> None:
        held = self._leases.filter(owner=self._worker, fencing=self._fencing)
        if len(shards) < len(self.positions):
            held = held.filter(shard__in=shards)
        if held.update(**values) != len(shards):
            worker, consumer = self._worker.name, self.consumer.name
            raise LeaseLost(f"Worker {worker} no longer owns all its shards of {consumer!r}.")

    def _wanted(self, alive: dict[int, ConsumerWorker]) -> set[int]:
        if exclusive := [pk for pk, worker in alive.items() if worker.exclusive]:
            mine = min(exclusive) == self._worker.pk
            return set(range(self.consumer.shard_count)) if mine else set()
        names = frozenset(worker.name for worker in alive.values())
        return set(_shards(names, self.consumer.shard_count).shards_of(self._worker.name))

    def _take(self, shards: Collection[int], alive: Collection[int]) -> None:
        with transaction.atomic(using=self._using):
            # One number for everything held: shards that are kept move on to it, too. The update
            # also makes workers that take shards at the same time wait for each other.
            if not self._consumers.update(fencing=F("fencing") + 1):
                raise ConsumerReplaced(self.consumer.name)
            fencing = self._consumers.values_list("fencing", flat=True).get()
            if self.positions:
                self._update(self.positions, fencing=fencing)
            free = self._leases.filter(shard__in=shards)
            if not self._exclusive:
                others = [pk for pk in alive if pk != self._worker.pk]
                free = free.filter(Q(owner=None) | ~Q(owner__in=others))
            # A stalled owner may be in the middle of a transaction: its shards have to wait.
            features = connections[self._using].features
            skip = features.has_select_for_update_skip_locked and not self._exclusive
            taken = free.select_for_update(skip_locked=skip)
            positions = dict(taken.values_list("shard", "position"))
            self._leases.filter(shard__in=positions).update(owner=self._worker, fencing=fencing)
        self._fencing = fencing
        self.positions.update(positions)
        self._written.update(positions)

    def _give_up(self, shards: Collection[int]) -> None:
        self.flush()
        with transaction.atomic(using=self._using):
            self._update(shards, owner=None)
        for shard in shards:
            del self.positions[shard]

    def _new_worker(self) -> ConsumerWorker:
        name = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        return ConsumerWorker(consumer=self.consumer, name=name, exclusive=self._exclusive)

    def _register(self) -> None:
        if not self._consumers.exists():
            raise ConsumerReplaced(self.consumer.name)
        self._workers.filter(expires_at__lt=Now(), shards=None).delete()
        self.positions.clear()
        self._worker = self._new_worker()
        self._worker.expires_at = self._expiry
        self._worker.save(using=self._using)

    @property
    def _expiry(self) -> Any:
        return ExpressionWrapper(Now() + self._lease, output_field=DateTimeField())

    def _alive_workers(self) -> dict[int, ConsumerWorker]:
        return self._workers.filter(expires_at__gt=Now()).in_bulk()

    def _beat(self) -> bool:
        """Count as alive for another while; return False if the worker was cleared away."""
        me = self._workers.filter(pk=self._worker.pk)
        return bool(me.update(expires_at=self._expiry, error=self.error))

    def _send_heartbeats(self, done: threading.Event) -> None:
        try:
            while not done.wait(self.balance_seconds):
                try:
                    self._beat()
                except (DatabaseError, InterfaceError) as error:
                    logger.warning("A worker of %s cannot be heard: %s", self.consumer, error)
                    connections[self._using].close()
        finally:
            connections[self._using].close()

    def _leave(self) -> None:
        if self._worker._state.adding:
            return
        try:
            try:
                self.flush()
            except LeaseLost as error:
                logger.warning("%s", error)
            # Its shards become free with it.
            self._worker.delete(using=self._using)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("A worker of %s could not say that it ends: %s", self.consumer, error)


@lru_cache(maxsize=64)
def _shards(workers: frozenset[str], count: int) -> ShardManager:
    return ShardManager(workers, ShardConfig(shard_count=count))
