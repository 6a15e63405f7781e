"""Print how long each page of the admin takes on a large store, and what it asks for.

    python -m benchmarks.admin [--events 1000000] [--actors 100000] [postgres] [jetstream]

The events belong to all actors in turn; one actor more has 100,000 of its own, one a malformed
event. Times are the medians of five visits with the test client, after one that is not counted
(its time is in a column of its own: what a process remembers helps the later ones). The store is
asked by queries (PostgreSQL) or messages to the server (JetStream).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import django
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.test.utils import override_settings
from django.urls import reverse

from django_eventstore import Event, EventStore, event_stores
from django_eventstore.backends.database import DatabaseEventStore
from django_eventstore.backends.values import ACTOR_ORDERINGS
from tests.servers import NatsServer, PostgresServer, parts
from tests.support.jetstream import next_subject, publish

VISITS = 5
LONG = "long-1"
LONG_EVENTS = 100_000
LONG_APPEND = 20
BATCH = 2000
LARGEST_APPEND = 5
WRITERS = 32
ACTOR = "actor-0000100"


def fill(store: EventStore, events: int, actors: int) -> None:
    """Store the events: of many actors at a time in a database, else up to five of one."""
    started = time.perf_counter()
    if isinstance(store, DatabaseEventStore):
        numbers = range(events)
        for start in range(0, events, BATCH):
            batch = numbers[start : start + BATCH]
            store.save_events([_event(f"actor-{n % actors:07d}", n) for n in batch])
    else:
        asyncio.run(_fill_by_actor(store, events, actors))
    for start in range(0, LONG_EVENTS, LONG_APPEND):
        store.save_events([_event(LONG, start + place) for place in range(LONG_APPEND)])
    seconds = time.perf_counter() - started
    print(f"filled in {seconds:.0f} s: {store.get_statistics()}", flush=True)


async def _fill_by_actor(store: EventStore, events: int, actors: int) -> None:
    each = max(1, min(LARGEST_APPEND, events // actors))
    numbers = iter(range(events // each))

    async def write() -> None:
        for number in numbers:
            name = f"actor-{number % actors:07d}"
            await store.asave_events([_event(name, number * each + place) for place in range(each)])

    await asyncio.gather(*(write() for _ in range(WRITERS)))


def break_an_event(store: EventStore) -> int:
    """Store an event that cannot be read, as another program might; return its position."""
    if isinstance(store, DatabaseEventStore):
        with connections["postgres"].cursor() as cursor:
            cursor.execute(
                "INSERT INTO django_eventstore_eventrecord (namespace, actor_id, version, event_id,"
                " event_type, command_id, timestamp, data, metadata)"
                " VALUES ('', 'broken-1', 1, 'strange', 'Strange', '', now(), '{', '{}')"
                " RETURNING position"
            )
            return int(cursor.fetchone()[0])
    publish(",".join(store.options.servers), next_subject(store, "broken-1"), b"{")
    return next(store.read_all_with_errors(reverse=True, limit=1)).position or 0


def _event(actor_id: str, number: int) -> Event:
    return Event(
        actor_id,
        f"Type{number % 12}",
        {"number": number, "amount": number * 1.5, "note": "x" * 150},
        metadata={"user_id": f"user-{number % 500}", "correlation_id": f"process-{number // 8}"},
    )


def pages(store: EventStore, malformed: int) -> dict[str, str]:
    """Return what is measured: a name and an address."""

    def page(name: str, *args: object) -> str:
        return reverse(f"admin:eventstore_{name}", args=["default", "-", *args])

    [event] = store.get_events(ACTOR, limit=1)
    found = {"stores": reverse("admin:eventstore_stores"), "store": page("store")}
    for order_by in ACTOR_ORDERINGS:
        if order_by in store.backend.actor_orderings:
            middle = store.get_actors(order_by=f"-{order_by}", limit=1000).next_cursor
            address = f"{page('actors')}?o=-{order_by}"
            found[f"actors by {order_by}"] = address
            found[f"actors by {order_by}, page 21"] = f"{address}&{urlencode({'cursor': middle})}"
    found["actors not seen for a year"] = page("actors") + "?seen=not-year"
    return found | {
        "actors, part of the id": page("actors") + "?q=0042",
        "actors, part of no id": page("actors") + "?q=nobody",
        "actors with malformed events": page("actors") + "?malformed=1",
        "actor": page("actor", ACTOR),
        "actor, 100,000 events": page("actor", LONG),
        "actor, 100,000 events, filtered by data": page("actor", LONG) + "?path=number%3D77",
        "state": page("state", ACTOR),
        "state, 100,000 events": page("state", LONG),
        "state, 100,000 events, in the middle": page("state", LONG) + "?version=50001",
        "blame, 100,000 events": page("blame", LONG),
        "changes of a field, 100,000 events": page("field", LONG) + "?path=note",
        "event and what belongs to it": page("event", event.position),
        "compare": page("compare") + f"?actor={ACTOR}&actor=actor-0000200&actor={LONG}",
        "search by event id": page("search") + f"?id={event.id}",
        "search by user": page("search") + "?user=user-7",
        "search by type": page("search") + "?type=Type3",
        "search by correlation": page("search") + "?correlation=process-17",
        "search for nothing": page("search") + "?user=nobody",
        "malformed events": page("malformed"),
        "malformed event": page("problem", malformed),
        "quick-open": page("jump") + "?q=0042",
        "projections and forwarding": reverse("admin:eventstore_consumers"),
    }


def measure(client: Client, address: str, asked: Callable[[], int]) -> tuple[float, float, int]:
    """Return the milliseconds of the first visit and of the later ones, and how often it asks."""
    times = []
    questions = 0
    for _ in range(VISITS + 1):
        before = asked()
        started = time.perf_counter()
        response = client.get(address, follow=True)
        times.append((time.perf_counter() - started) * 1000)
        questions = asked() - before
        if response.status_code != 200:
            raise SystemExit(f"{address}: {response.status_code}")
    return times[0], statistics.median(times[1:]), questions


def report_first_lists(client: Client) -> None:
    """Print what lists of actors take in a process that has not listed any."""
    address = reverse("admin:eventstore_actors", args=["default", "-"])
    for query in ("", "?o=actor_id", "?q=0042"):
        started = time.perf_counter()
        content = client.get(address + query).content
        milliseconds = (time.perf_counter() - started) * 1000
        goes_on = ", and offers to look further" if b"Look further" in content else ""
        rows = content.count(b"data-es-row")
        print(f"first visit of actors/{query}: {milliseconds:,.0f} ms, {rows} rows{goes_on}")
    started = time.perf_counter()
    event_stores["default"].get_actors(limit=1)
    print(f"until all are listed: {time.perf_counter() - started:.1f} s more", flush=True)


def report(client: Client, kind: str, malformed: int, asked: Callable[[], int]) -> None:
    """Print the table of one store."""
    print(
        f"\n{kind}\n\n| page | first, ms | ms | asked |\n| --- | ---: | ---: | ---: |", flush=True
    )
    for name, address in pages(event_stores["default"], malformed).items():
        first, later, questions = measure(client, address, asked)
        print(f"| {name} | {first:,.0f} | {later:,.0f} | {questions} |", flush=True)


def configure(stack: ExitStack) -> None:
    """Start PostgreSQL, and set Django up on it and on an SQLite file for the users."""
    server = stack.enter_context(PostgresServer(settings={"shared_buffers": "512MB"}))
    directory = stack.enter_context(TemporaryDirectory(prefix="es-bench-"))
    databases = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{directory}/db.sqlite3"},
        "postgres": server.django_settings(),
    }
    os.environ["EVENTSTORE_TEST_DIR"] = directory
    os.environ["EVENTSTORE_TEST_DATABASES"] = json.dumps(databases)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    for alias in databases:
        call_command("migrate", database=alias, verbosity=0)


def stores(kinds: list[str], stack: ExitStack) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield (name, entry of EVENT_STORES, what counts the questions) of each store."""
    if "postgres" in kinds:
        entry = {
            "BACKEND": "django_eventstore.backends.database.DatabaseEventStore",
            "OPTIONS": {"database": "postgres"},
        }
        asked = [0]

        def count(execute: Any, *arguments: Any) -> Any:
            asked[0] += 1
            return execute(*arguments)

        stack.enter_context(connections["postgres"].execute_wrapper(count))
        yield "PostgreSQL", entry, lambda: asked[0]
    if "jetstream" in kinds:
        server = stack.enter_context(NatsServer(parts.find("nats-server")))
        entry = {
            "BACKEND": "django_eventstore.backends.jetstream.JetStreamEventStore",
            "OPTIONS": {"servers": [server.url], "stream_name": "events"},
        }
        yield "JetStream", entry, lambda: int(server.monitor("varz")["in_msgs"])


def main() -> None:
    """Fill each store, visit each page, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.admin", description=__doc__)
    parser.add_argument("stores", nargs="*", default=["postgres", "jetstream"])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--actors", type=int, default=100_000)
    arguments = parser.parse_args()
    # Each visit that meets the malformed event logs it.
    logging.getLogger("django_eventstore").setLevel(logging.ERROR)
    with ExitStack() as stack:
        configure(stack)
        user = get_user_model().objects.create_superuser("benchmark")
        client = Client()
        client.force_login(user)
        for kind, entry, asked in stores(arguments.stores, stack):
            with override_settings(EVENT_STORES={"default": entry}):
                fill(event_stores["default"], arguments.events, arguments.actors)
                malformed = break_an_event(event_stores["default"])
                report_first_lists(client)
                report(client, kind, malformed, asked)


if __name__ == "__main__":
    main()
