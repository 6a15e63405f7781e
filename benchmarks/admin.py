"""Print how long each page of the admin takes on a large store, and what it asks for.

    python -m benchmarks.admin [--events 1000000] [--actors 100000] [postgres] [jetstream]

The events belong to all actors in turn; one actor more has 100,000 of its own. Times are the
medians of five visits with the test client, after one that is not counted; the store is asked by
queries (PostgreSQL) or messages to the server (JetStream).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import Any

import django
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.test.utils import override_settings
from django.urls import reverse

from django_eventstore import Event, EventStore, event_stores
from tests.servers import NatsServer, PostgresServer, parts

VISITS = 5
LONG = "long-1"
LONG_EVENTS = 100_000
LONG_APPEND = 20
BATCH = 1000


def fill(store: EventStore, events: int, actors: int, *, single_actor_appends: bool) -> None:
    """Store the events; where an append is one actor's, in appends of five."""
    started = time.perf_counter()
    each = 5 if single_actor_appends else 1
    batch: list[Event] = []
    for number in range(events // each):
        actor = number % actors
        batch += [_event(f"actor-{actor:06d}", number) for _ in range(each)]
        if single_actor_appends or len(batch) == BATCH:
            store.save_events(batch)
            batch = []
    for start in range(0, LONG_EVENTS, LONG_APPEND):
        store.save_events([_event(LONG, start + place) for place in range(LONG_APPEND)])
    seconds = time.perf_counter() - started
    print(f"filled in {seconds:.0f} s: {store.get_statistics()}", flush=True)


def _event(actor_id: str, number: int) -> Event:
    return Event(
        actor_id,
        f"Type{number % 12}",
        {"number": number, "amount": number * 1.5, "note": "x" * 150},
        metadata={"user_id": f"user-{number % 500}", "correlation_id": f"process-{number // 8}"},
    )


def pages(store: EventStore) -> dict[str, str]:
    """Return what is measured: a name and an address."""

    def page(name: str, *args: object) -> str:
        return reverse(f"admin:eventstore_{name}", args=["default", "-", *args])

    position = store.get_events("actor-000100", limit=1)[0].position
    found = {
        "stores": reverse("admin:eventstore_stores"),
        "store": page("store"),
        "actors": page("actors"),
        "actors, part of the id": page("actors") + "?q=0042",
        "actor": page("actor", "actor-000100"),
        "actor, 100,000 events": page("actor", LONG),
        "the same, filtered": page("actor", LONG) + "?path=number%3D77",
        "state": page("state", "actor-000100"),
        "state, 100,000 events": page("state", LONG),
        "blame, 100,000 events": page("blame", LONG),
        "event and what belongs to it": page("event", position),
        "compare": page("compare") + "?actor=actor-000100&actor=actor-000200&actor=" + LONG,
        "search by user": page("search") + "?user=user-7",
        "search by type": page("search") + "?type=Type3",
        "search by correlation": page("search") + "?correlation=process-17",
        "search for nothing": page("search") + "?user=nobody",
        "malformed": page("malformed"),
        "quick-open": page("jump") + "?q=0042",
    }
    if "last_timestamp" in store.actor_orderings:
        found["actors, last seen"] = page("actors") + "?o=-last_timestamp"
    return found


def measure(client: Client, address: str, asked: Callable[[], int]) -> tuple[float, int]:
    """Return the milliseconds that a page takes, and how often it asks the store."""
    times = []
    questions = 0
    for visit in range(VISITS + 1):
        before = asked()
        started = time.perf_counter()
        response = client.get(address)
        times.append((time.perf_counter() - started) * 1000)
        questions = asked() - before
        if response.status_code != 200:
            raise SystemExit(f"{address}: {response.status_code}")
        if visit == 0 and times[0] > 5000:
            break
    return statistics.median(times[1:] or times), questions


def report(client: Client, kind: str, asked: Callable[[], int]) -> None:
    """Print the table of one store."""
    print(f"\n{kind}\n\n| page | ms | asked |\n| --- | ---: | ---: |", flush=True)
    for name, address in pages(event_stores["default"]).items():
        milliseconds, questions = measure(client, address, asked)
        print(f"| {name} | {milliseconds:,.0f} | {questions} |", flush=True)


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
    with ExitStack() as stack:
        configure(stack)
        user = get_user_model().objects.create_superuser("benchmark")
        client = Client()
        client.force_login(user)
        for kind, entry, asked in stores(arguments.stores, stack):
            with override_settings(EVENT_STORES={"default": entry}):
                fill(
                    event_stores["default"],
                    arguments.events,
                    arguments.actors,
                    single_actor_appends=kind == "JetStream",
                )
                report(client, kind, asked)


if __name__ == "__main__":
    main()
