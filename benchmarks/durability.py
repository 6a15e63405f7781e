"""What it costs to be sure: single appends under each setting that decides what a crash may lose.

``python -m benchmarks.durability`` prints the table of docs/durability.md. Servers are started on
the machine's temporary directory: set TMPDIR to a directory on the disk that matters.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any
from uuid import uuid4

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from tests.servers import MariaDBServer, NatsCluster, NatsServer, PostgresServer

DATA = {"note": "x" * 250}
JETSTREAM = "django_eventstore.backends.jetstream.JetStreamEventStore"


@dataclass
class Rival:
    """One setting of one store.

    Attributes:
        store: the store's name in the table.
        setting: the setting.
        alias: the store in EVENT_STORES.
        prepare: called before each measurement.
    """

    store: str
    setting: str
    alias: str
    prepare: Callable[[], object] = lambda: None


def main() -> None:
    """Start everything, measure in turn, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durability", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long a measurement takes")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; medians are printed")
    parser.add_argument("--writers", type=int, default=16, help="threads of the second column")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        rivals = list(_rivals(stack))
        rates: dict[tuple[str, int], list[float]] = {}
        for round_ in range(arguments.rounds):
            for rival in rivals:
                for writers in (1, arguments.writers):
                    rival.prepare()
                    rate = _rate(rival.alias, writers, arguments.seconds)
                    rates.setdefault((rival.alias, writers), []).append(rate)
                    print(f"{round_} {rival.alias} {writers}: {rate:.0f}", file=sys.stderr)
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
            f"{_cost_of_fsync():.2f} ms for a write and fsync; medians of {arguments.rounds} rounds"
        )
        _print(rivals, rates, arguments.writers)


def _rivals(stack: ExitStack) -> Iterator[Rival]:
    directory = Path(stack.enter_context(TemporaryDirectory(prefix="es-durability-")))
    postgres = stack.enter_context(PostgresServer(durable=True))
    mariadb = stack.enter_context(MariaDBServer(directory=directory / "maria", durable=True))
    databases = {"default": _sqlite(directory, "full")}
    stores: dict[str, Any] = {}
    for level in ("full", "normal", "off"):
        databases[f"sqlite {level}"] = _sqlite(directory, level)
    for commit in ("on", "off"):
        entry = postgres.django_settings()
        entry["OPTIONS"] = {
            **entry.get("OPTIONS", {}),
            "options": f"-c synchronous_commit={commit}",
        }
        databases[f"postgresql {commit}"] = entry
    databases["mariadb"] = mariadb.django_settings("eventstore")
    stores = {
        alias: {
            "BACKEND": "django_eventstore.backends.database.DatabaseEventStore",
            "OPTIONS": {"database": alias},
        }
        for alias in databases
    }
    for sync in ("default", "always"):
        always = sync == "always"
        server = stack.enter_context(NatsServer(sync_always=always))
        cluster = stack.enter_context(NatsCluster(sync_always=always))
        stores[f"nats 1 {sync}"] = _nats([server.url], 1)
        stores[f"nats 3 {sync}"] = _nats(cluster.urls, 3)
    _set_up(databases, stores)

    yield Rival("SQLite (WAL)", "`synchronous=FULL`", "sqlite full")
    yield Rival("SQLite (WAL)", "`synchronous=NORMAL`", "sqlite normal")
    yield Rival("SQLite (WAL)", "`synchronous=OFF`", "sqlite off")
    yield Rival("PostgreSQL", "`synchronous_commit=on`", "postgresql on")
    yield Rival("PostgreSQL", "`synchronous_commit=off`", "postgresql off")
    for level in (1, 2, 0):
        alias = f"mariadb {level}"
        name = f"`innodb_flush_log_at_trx_commit={level}`"
        yield Rival("MariaDB", name, alias, lambda level=level: _flush_log(level))
    yield Rival("JetStream, 1 replica", "`sync_interval: always`", "nats 1 always")
    yield Rival("JetStream, 1 replica", "`sync_interval: 2m` (default)", "nats 1 default")
    yield Rival("JetStream, 3 replicas", "`sync_interval: always`", "nats 3 always")
    yield Rival("JetStream, 3 replicas", "`sync_interval: 2m` (default)", "nats 3 default")


def _sqlite(directory: Path, level: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(directory / f"{level}.sqlite3"),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 60,
            "init_command": f"PRAGMA journal_mode=WAL; PRAGMA synchronous={level}",
        },
    }


def _nats(servers: list[str], replicas: int) -> dict[str, Any]:
    options = {"servers": servers, "replicas": replicas, "max_age": None}
    return {"BACKEND": JETSTREAM, "OPTIONS": options}


def _set_up(databases: dict[str, Any], stores: dict[str, Any]) -> None:
    settings.configure(
        DATABASES=databases,
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_eventstore"],
        USE_TZ=True,
        EVENT_STORES=stores,
        SILENCED_SYSTEM_CHECKS=["eventstore.W002"],
    )
    import pymysql

    pymysql.install_as_MySQLdb()
    django.setup()
    with pymysql.connect(unix_socket=databases["mariadb"]["HOST"], user="root") as connection:
        connection.cursor().execute("CREATE DATABASE eventstore CHARACTER SET utf8mb4")
    for alias in databases:
        if alias != "postgresql off":  # the same database
            call_command("migrate", database=alias, verbosity=0)


def _flush_log(level: int) -> None:
    with connections["mariadb"].cursor() as cursor:
        cursor.execute(f"SET GLOBAL innodb_flush_log_at_trx_commit = {level}")


def _rate(alias: str, writers: int, seconds: float) -> float:
    """Return how many single appends a second ``writers`` threads get acknowledged."""
    from django_eventstore import Event, event_stores

    store_alias = alias if alias in event_stores.settings else alias.partition(" ")[0]
    counts = [0] * writers
    started = threading.Barrier(writers + 1)
    end = threading.Event()

    def write(number: int) -> None:
        store = event_stores[store_alias]
        actor_id = f"actor-{uuid4()}"
        store.save_event(Event(actor_id, "warmed up", DATA))
        started.wait()
        while not end.is_set():
            store.save_event(Event(actor_id, "something happened", DATA))
            counts[number] += 1
        connections.close_all()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    started.wait()
    begun = perf_counter()
    end.wait(seconds)
    total, elapsed = sum(counts), perf_counter() - begun
    end.set()
    for thread in threads:
        thread.join()
    return total / elapsed


def _cost_of_fsync() -> float:
    """Return the median milliseconds of writing 4 kB and forcing it to disk."""
    times = []
    with TemporaryDirectory(prefix="es-fsync-") as directory:
        descriptor = os.open(Path(directory) / "file", os.O_WRONLY | os.O_CREAT)
        for _ in range(100):
            begun = perf_counter()
            os.write(descriptor, bytes(4096))
            os.fsync(descriptor)
            times.append(perf_counter() - begun)
        os.close(descriptor)
    return median(times) * 1000


def _print(rivals: list[Rival], rates: dict[tuple[str, int], list[float]], writers: int) -> None:
    print(f"\n| store | setting | 1 writer, appends/s | {writers} writers, appends/s |")
    print("|---|---|---:|---:|")
    for rival in rivals:
        one, many = (median(rates[rival.alias, count]) for count in (1, writers))
        print(f"| {rival.store} | {rival.setting} | {one:,.0f} | {many:,.0f} |")


if __name__ == "__main__":
    main()
