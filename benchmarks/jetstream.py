"""The JetStream store against bare nats-py, on the same server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count, islice
from typing import Any

import nats
import orjson
from nats.js.api import AckPolicy, ConsumerConfig

from benchmarks import workload
from benchmarks.timing import Row, compare
from django_eventstore.backends.jetstream import JetStreamEventStore
from tests.servers import NatsServer

SIZES = {1: 5.0, 10: 5.0, 100: 5.0, 10_000: 2.5}
"""How many events an actor has, and the ratio that is aimed at."""
THREADS = 16
TASKS = 100
_names = count()


class BareNats:
    """What one would write with nats-py alone, on an event loop of its own."""

    def __init__(self, url: str, store: JetStreamEventStore) -> None:
        self.runner = asyncio.Runner()
        self.stream = store.stream_name
        self.connection: Any = self.runner.run(nats.connect(url))
        self.jetstream = self.connection.jetstream(publish_async_max_pending=10_000)

    def publish(self, number: int, tasks: int = 1) -> int:
        """Publish ``number`` messages, each awaited, with the headers that the store sends."""
        event = workload.events("bare", 1)[0]
        document = event.to_dict() | {"version": 1}
        payload = orjson.dumps({key: document[key] for key in document if key != "position"})

        async def one(task: int) -> None:
            actor = f"bare-{next(_names)}-{task}"
            for index in range(1, number // tasks + 1):
                headers = {
                    "Nats-Msg-Id": f"{actor}-{index}",
                    "Nats-Expected-Last-Subject-Sequence": "0",
                    "Eventstore-Append": f"{index} 1 {index} 1234567890",
                }
                subject = f"{self.stream}.events.{actor}.{index}"
                await self.jetstream.publish(subject, payload, headers=headers)

        async def all_tasks() -> None:
            await asyncio.gather(*(one(task) for task in range(tasks)))

        self.runner.run(all_tasks())
        return number

    def fetch(self, subject: str, number: int) -> int:
        """Read ``number`` messages with a fresh pull consumer, decoding what they hold."""

        async def fetch() -> None:
            # Gone soon after it was used: a server holds so many consumers only.
            config = ConsumerConfig(ack_policy=AckPolicy.NONE, inactive_threshold=0.5)
            consumer = await self.jetstream.pull_subscribe(
                subject, stream=self.stream, config=config
            )
            left = number
            while left:
                messages = await consumer.fetch(min(left, 1000), timeout=10)
                for message in messages:
                    orjson.loads(message.data)
                left -= len(messages)
            await consumer.unsubscribe()

        self.runner.run(fetch())
        return number

    def close(self) -> None:
        """Close the connection."""
        self.runner.run(self.connection.close())
        self.runner.close()


def jetstream_rows(scale: float, rounds: int) -> Iterator[Row]:
    """Yield the rows of JetStream."""
    with NatsServer() as server:
        store = JetStreamEventStore(servers=[server.url], max_age=None, timeout=30.0)
        store.setup()
        bare = BareNats(server.url, store)
        yield from _append_rows(store, bare, scale, rounds)
        yield from _read_rows(store, bare, scale, rounds)
        bare.close()


def _append_rows(
    store: JetStreamEventStore, bare: BareNats, scale: float, rounds: int
) -> Iterator[Row]:
    number = int(2000 * scale)
    yield compare(
        "jetstream",
        "append 1 event",
        {"ours": partial(_save, store, number), "bare": partial(bare.publish, number)},
        rounds=rounds,
        targets={"bare": 0.75},
    )
    yield compare(
        "jetstream",
        f"append 1 event, {THREADS} threads",
        {"ours": partial(_threads, store, number), "one thread": partial(_save, store, number)},
        rounds=rounds,
        targets={"one thread": 2.5},
    )
    yield compare(
        "jetstream",
        f"append 1 event, {TASKS} tasks",
        {
            "ours": partial(_tasks, store, number * 2),
            "bare": partial(bare.publish, number * 2, TASKS),
        },
        rounds=rounds,
        targets={"bare": 0.9},
    )
    yield compare(
        "jetstream",
        "append 1000 events in one call",
        {"ours": partial(_save_together, store, 10), "single": partial(_save, store, number)},
        rounds=rounds,
        targets={"single": 100.0},
    )


def _read_rows(
    store: JetStreamEventStore, bare: BareNats, scale: float, rounds: int
) -> Iterator[Row]:
    reader = store.with_namespace("read")
    bare.stream = reader.stream_name
    total = int(100_000 * scale)
    asyncio.run(_fill(reader, total))
    for size, target in SIZES.items():
        actor = f"actor-of-{size}"
        repeats = max(1, 200 // size)
        yield compare(
            "jetstream",
            f"read an actor of {size:,} events, spread through {total:,}",
            {
                "ours": partial(
                    _repeat, repeats, lambda actor=actor: len(reader.get_events(actor))
                ),
                "pull consumer": partial(
                    _repeat, repeats, partial(bare.fetch, f"{bare.stream}.events.{actor}.*", size)
                ),
            },
            rounds=rounds,
            targets={"pull consumer": target},
        )
    yield compare(
        "jetstream",
        f"read the whole store of {total:,} events",
        {
            "ours": lambda: sum(1 for _ in reader.read_all()),
            "pull consumer": partial(bare.fetch, f"{bare.stream}.events.>", total),
        },
        rounds=rounds,
        targets={"pull consumer": 2.0},
    )


async def _fill(store: JetStreamEventStore, total: int) -> None:
    """Write the histories to be read at random places among those of other actors."""
    actors = [f"actor-of-{size}" for size in SIZES for _ in range(size)]
    actors += [f"other-{number % 9000}" for number in range(total - len(actors))]
    random.Random(1).shuffle(actors)
    places = iter(actors)
    while part := list(islice(places, 1000)):
        await asyncio.gather(*(store.asave_event(workload.events(actor, 1)[0]) for actor in part))


def _save(store: JetStreamEventStore, number: int) -> int:
    for event in workload.events(workload.actor_id(), number):
        store.save_event(event)
    return number


def _threads(store: JetStreamEventStore, number: int) -> int:
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(partial(_save, store), [number // THREADS] * THREADS))


def _tasks(store: JetStreamEventStore, number: int) -> int:
    async def one() -> None:
        for event in workload.events(workload.actor_id(), number // TASKS):
            await store.asave_event(event)

    async def all_tasks() -> None:
        await asyncio.gather(*(one() for _ in range(TASKS)))

    asyncio.run(all_tasks())
    return number


def _save_together(store: JetStreamEventStore, repeats: int) -> int:
    for _ in range(repeats):
        store.save_events(workload.events(workload.actor_id(), 1000))
    return repeats * 1000


def _repeat(times: int, read: Callable[[], int]) -> int:
    return sum(read() for _ in range(times))
