"""Subscriptions, projections and forwarding: how fast they catch up, and how soon they follow."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice
from typing import Any

from django.db import connections

from benchmarks import workload
from benchmarks.bare import BarePostgres
from benchmarks.timing import Row, compare
from benchmarks.workers import worker_rows
from django_eventstore import Event, EventStore, event_stores
from django_eventstore.backends.jetstream import JetStreamEventStore
from django_eventstore.maintenance.forwarding import Forwarder
from django_eventstore.projections import Projection, ProjectionWorker
from tests.servers import NatsServer, PostgresServer

ALIAS = "postgres"
ACTORS = 500
TABLE = "CREATE TABLE IF NOT EXISTS bench_counts (actor_id text PRIMARY KEY, count bigint NOT NULL)"
COUNT = (
    "INSERT INTO bench_counts VALUES (%s, 1) "
    "ON CONFLICT (actor_id) DO UPDATE SET count = bench_counts.count + 1"
)
BATCH = 500
_numbers = count()


class Counting(Projection):
    """Counts the events of each actor: one statement an event, as in the bare loop."""

    database = ALIAS

    def __init__(
        self, store: EventStore, besides: Callable[[Event], object] = lambda event: None
    ) -> None:
        # A new name starts at the first event.
        self.name = f"bench-{next(_numbers)}"  # type: ignore[misc]
        self._store = store
        self._besides = besides

    @property
    def event_store(self) -> EventStore:
        return self._store

    def apply(self, event: Event) -> None:
        with connections[ALIAS].cursor() as cursor:
            cursor.execute(COUNT, (event.actor_id,))
        self._besides(event)


def projection_rows(server: PostgresServer, scale: float, rounds: int) -> Iterator[Row]:
    """Yield the rows of what follows a store, on PostgreSQL and JetStream."""
    number = max(BATCH, int(10_000 * scale))
    store = event_stores[ALIAS].with_namespace("followed")
    events = _interleaved(number)
    for start in range(0, number, 1000):
        store.save_events(events[start : start + 1000])
    bare = BarePostgres(server.dsn(), "bare_followed")
    bare.create()
    bare.append(events)
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(TABLE)
    yield compare(
        "postgresql",
        f"subscription catches up with {number:,} events",
        {"ours": partial(_subscribe, store, number), "bare": bare.stream},
        rounds=rounds,
    )
    yield compare(
        "postgresql",
        f"projection catches up with {number:,} events",
        {"ours": lambda: _project(store), "bare": partial(_bare_loop, bare)},
        rounds=rounds,
        note="each event one upsert",
    )
    yield from worker_rows(store, partial(Counting, store), number, rounds)
    yield _latency("postgresql", event_stores[ALIAS].with_namespace("followed-live"), scale)
    with NatsServer() as nats:
        stream = JetStreamEventStore(servers=[nats.url], stream_name="bench")
        yield _latency("jetstream", stream.with_namespace("followed"), scale)
        yield _forwarding("jetstream", store, stream, number, "events of 500 actors by turns")
        runs = event_stores[ALIAS].with_namespace("followed-runs")
        for history in workload.histories(number // 10, 10):
            runs.save_events(history)
        yield _forwarding(
            "jetstream", runs, stream.with_namespace("runs"), number, "10 events of an actor each"
        )


def _interleaved(number: int) -> list[Event]:
    return [
        Event(f"case-{n % ACTORS}", "T02 Check", workload.data(n), metadata=workload.METADATA)
        for n in range(number)
    ]


def _subscribe(store: EventStore, number: int) -> int:
    return sum(1 for _ in islice(store.subscribe(), number))


def _project(store: EventStore) -> int:
    return ProjectionWorker(Counting(store), once=True).run()


def _bare_loop(bare: BarePostgres) -> int:
    """Read with a server-side cursor, and write in transactions of as many events."""
    writer = connections[ALIAS].copy()
    writer.ensure_connection()
    driver: Any = writer.connection
    number = 0
    with bare.connection.transaction(), bare.connection.cursor(name="bare_loop") as cursor:
        cursor.itersize = BATCH
        cursor.execute(f"SELECT position, actor_id, data, metadata FROM {bare.name} ORDER BY 1")
        while rows := cursor.fetchmany(BATCH):
            with driver.transaction():
                for row in rows:
                    driver.execute(COUNT, (row[1],))
            number += len(rows)
    writer.close()
    return number


def _latency(name: str, store: EventStore, scale: float) -> Row:
    """Measure how long after the start of a save its event is applied, in another process."""
    connections.close_all()
    times, sender = multiprocessing.Pipe(duplex=False)
    worker = multiprocessing.get_context("fork").Process(target=_follow, args=(store, sender))
    worker.start()
    number = max(50, int(300 * scale))
    store.save_event(Event("warm", "Up", {"sent": 0.0}))
    times.recv()
    seconds = []
    for n in range(number):
        time.sleep(random.uniform(0.005, 0.03))
        store.save_event(Event(f"case-{n % 20}", "Saved", {"sent": time.monotonic()}))
        seconds.append(times.recv())
    worker.terminate()
    worker.join()
    seconds.sort()
    half, most = seconds[number // 2], seconds[int(number * 0.99)]
    note = f"p50 {half * 1000:.1f} ms, p99 {most * 1000:.1f} ms"
    return Row(name, "from save to projection", {"ours": 1 / half}, note=note)


def _follow(store: EventStore, sender: Any) -> None:
    def tell(event: Event) -> None:
        sender.send(time.monotonic() - event.data["sent"])

    ProjectionWorker(Counting(store, tell), stop=threading.Event()).run()


def _forwarding(name: str, source: EventStore, target: EventStore, number: int, note: str) -> Row:
    start = time.perf_counter()
    sent = Forwarder(source, target).run()
    rate = sent / (time.perf_counter() - start)
    return Row(name, f"forwarding {number:,} events from PostgreSQL", {"ours": rate}, note=note)
