"""Consumers: the rows that say what has been read of a store, and how far that is from its end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import Min
from django.db.models.functions import Now

from ..backends.values import Selection
from ..models import Consumer, ConsumerStatus, ParkedEvent, ShardLease
from ..store import EventStore


def bookkeeping_database(store: EventStore) -> str:
    """Return where what is noted about a store is kept, unless somebody says otherwise.

    That is beside its events, or in the default database where these are in none.
    """
    return store.backend.database or DEFAULT_DB_ALIAS


def open_consumer(
    name: str,
    store: EventStore,
    *,
    shards: int,
    using: str,
    way_out: str = "rebuild it (rebuild_projection), or give it a new name",
) -> Consumer:
    """Return the live consumer of that name in the store's namespace, made on first use.

    Args:
        way_out: what to do where it has read another store; for the error.

    Raises:
        ImproperlyConfigured: it reads another store, has another number of shards, or the swap of
            a rebuild was broken off.
    """
    consumer = find_consumer(name, store.namespace, using=using)
    if consumer is None:
        consumer = create_consumer(name, store, shards=shards, using=using)
    if consumer.place != store.place:
        raise ImproperlyConfigured(
            f"{name!r} has read {consumer.place} until now, and its checkpoint means nothing in "
            f"{store.place}: {way_out}."
        )
    if consumer.store != (store.alias or ""):
        consumer.store = store.alias or ""
        consumer.save(using=using, update_fields=["store"])
    if consumer.shard_count != shards:
        _divide_anew(consumer, shards)
    return consumer


def find_consumer(name: str, namespace: str, *, using: str) -> Consumer | None:
    """Return the live consumer of that name, or None.

    Raises:
        ImproperlyConfigured: the swap of a rebuild was broken off.
    """
    generations = Consumer.objects.using(using).filter(name=name, namespace=namespace)
    if generations.filter(status=ConsumerStatus.SWAPPING).exists():
        raise ImproperlyConfigured(
            f"A swap of {name!r} was broken off; run rebuild_projection {name} to finish it."
        )
    return generations.filter(status=ConsumerStatus.LIVE).first()


def create_consumer(
    name: str,
    store: EventStore,
    *,
    shards: int,
    using: str,
    generation: int = 0,
    status: str = ConsumerStatus.LIVE,
    position: int = 0,
) -> Consumer:
    """Return the consumer with that name and generation.

    If it is new it is made with its shards, at ``position``.
    """
    with transaction.atomic(using=using):
        consumer, created = Consumer.objects.using(using).get_or_create(
            name=name,
            namespace=store.namespace,
            generation=generation,
            defaults={
                "store": store.alias or "",
                "place": store.place,
                "shard_count": shards,
                "status": status,
            },
        )
        if created:
            _create_shards(consumer, shards, position)
    return consumer


def _create_shards(consumer: Consumer, count: int, position: int) -> None:
    leases = ShardLease.objects.using(consumer._state.db)
    leases.bulk_create(
        ShardLease(consumer=consumer, shard=shard, position=position) for shard in range(count)
    )


def _divide_anew(consumer: Consumer, shards: int) -> None:
    """Give a consumer another number of shards: only while all of them are at one position."""
    using = consumer._state.db
    with transaction.atomic(using=using):
        leases = ShardLease.objects.using(using).filter(consumer=consumer)
        positions = set(leases.select_for_update().values_list("position", flat=True))
        if (
            len(positions) > 1
            or consumer.workers.filter(expires_at__gt=Now()).exists()
            or consumer.parked.exists()
        ):
            raise ImproperlyConfigured(
                f"{consumer.name!r} has {consumer.shard_count} shards in the database and is to "
                f"have {shards}. Stop its workers, catch up once with {consumer.shard_count} "
                f"(run_projections --once), see that nothing is parked, and change it then."
            )
        leases.delete()
        _create_shards(consumer, shards, positions.pop())
        consumer.shard_count = shards
        consumer.save(using=using, update_fields=["shard_count"])


def first_position(consumer: Consumer) -> int:
    """Return the position up to which everything has taken effect; 0: nothing yet."""
    shards = ShardLease.objects.using(consumer._state.db).filter(consumer=consumer)
    return shards.aggregate(first=Min("position"))["first"] or 0


@dataclass(frozen=True, slots=True)
class ConsumerFigures:
    """How a consumer is doing.

    Attributes:
        name: its name.
        store: the alias of the store that it reads.
        namespace: the namespace that it reads.
        position: everything up to here has taken effect; 0: nothing yet.
        lag: how many events are behind that position.
        lag_time: how long ago the first of them was saved; zero without any.
        workers: how many workers are alive.
        parked: how many events are parked, those that wait behind one included.
        failed: how many of them could not be applied.
        last_error: what came of the newest of these, or what keeps a worker from going on.
    """

    name: str
    store: str
    namespace: str
    position: int
    lag: int
    lag_time: timedelta
    workers: int
    parked: int
    failed: int
    last_error: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; ``lag_time`` is ``lag_seconds`` there, a number."""
        figures = asdict(self)
        figures["lag_seconds"] = figures.pop("lag_time").total_seconds()
        return figures


def consumer_figures(consumer: Consumer, store: EventStore) -> ConsumerFigures:
    """Return how ``consumer`` is doing, which reads ``store``.

    Raises:
        StoreUnavailableError: the store cannot be reached.
    """
    using = consumer._state.db
    store = store.with_namespace(consumer.namespace)
    position = first_position(consumer)
    waiting = next(store.read_all(position, limit=1), None)
    behind = Selection(after=position)
    parked = ParkedEvent.objects.using(using).filter(consumer=consumer)
    failed = parked.exclude(error="")
    alive = consumer.workers.using(using).filter(expires_at__gt=Now())
    stuck = alive.exclude(error="").first()
    newest = failed.order_by("-parked_at").first()
    return ConsumerFigures(
        name=consumer.name,
        store=consumer.store,
        namespace=consumer.namespace,
        position=position,
        lag=0 if waiting is None else store.backend.count_events(consumer.namespace, behind),
        lag_time=timedelta(0) if waiting is None else _age(waiting.timestamp),
        workers=alive.count(),
        parked=parked.count(),
        failed=failed.count(),
        last_error=(stuck and stuck.error) or (newest and newest.error) or "",
    )


def _age(timestamp: datetime) -> timedelta:
    return max(datetime.now(UTC) - timestamp, timedelta(0))
