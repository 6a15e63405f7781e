"""The database store against the bare driver and the peer, on SQLite and PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from django.db import connections

from benchmarks import workload
from benchmarks.bare import BarePostgres, BareSQLite
from benchmarks.environment import connect_sqlite
from benchmarks.peer import Peer, postgres_peer, sqlite_peer
from benchmarks.timing import Rival, Row, compare
from django_eventstore import EventStore, event_stores
from tests.servers import PostgresServer

SIZES = (1, 10, 100, 10_000)
Bare = BarePostgres | BareSQLite


def sqlite_rows(file: Path, scale: float, rounds: int) -> Iterator[Row]:
    """Yield the rows of SQLite."""
    bare, plain = (
        BareSQLite(connect_sqlite(file.with_name(f"{name}.sqlite3"))) for name in ("bare", "plain")
    )
    peer_file = file.with_name("peer.sqlite3")
    connect_sqlite(peer_file).close()  # sets WAL, which the file keeps
    peers = [sqlite_peer(str(peer_file), table) for table in ("peer", "peer_whole")]
    store = event_stores["default"]
    yield from _rows("sqlite", store, bare, plain, peers, scale, rounds, single=0.7)


def postgres_rows(server: PostgresServer, scale: float, rounds: int) -> Iterator[Row]:
    """Yield the rows of PostgreSQL."""
    bare, plain = BarePostgres(server.dsn()), BarePostgres(server.dsn(), "plain")
    peers = [postgres_peer(server, table) for table in ("peer", "peer_whole")]
    store = event_stores["postgres"]
    targets = {"single": 0.8, "batch": 0.9, "read": 0.6}
    yield from _rows("postgresql", store, bare, plain, peers, scale, rounds, **targets)
    yield _threads(server, scale, rounds)
    yield from _bulk(server, store, bare, int(1_000_000 * scale), rounds)


def _rows(
    name: str,
    store: EventStore,
    bare: Bare,
    plain: Bare,
    peers: list[Peer],
    scale: float,
    rounds: int,
    *,
    single: float,
    batch: float | None = None,
    read: float | None = None,
) -> Iterator[Row]:
    # What the first peer's recorder is given to store is nothing that its event store can read.
    peer, whole_peer = peers
    bare.create()
    plain.create(indexes=False)
    yield compare(
        name,
        "append 1 event",
        _appenders(store, bare, plain, peer, 1, int(2000 * scale)),
        rounds=rounds,
        targets=_targets(single),
    )
    for size in (10, 100, 1000):
        yield compare(
            name,
            f"append {size} events in one call",
            _appenders(store, bare, plain, peer, size, max(2, int(10_000 * scale) // size)),
            rounds=rounds,
            targets=_targets(batch if size == 1000 else None),
        )
    for size in SIZES:
        actor = workload.actor_id()
        history = workload.events(actor, size)
        for start in range(0, size, 1000):
            store.save_events(history[start : start + 1000])
        bare.append(history)
        peer.put(history)
        repeats = max(2, int(20_000 * scale) // (size + 20))
        yield compare(
            name,
            f"read an actor of {size:,} events",
            {
                "ours": partial(_read, store.get_events, actor, size, repeats),
                "bare": partial(_read, bare.read, actor, size, repeats),
                "peer": partial(_read, peer.read, actor, size, repeats),
            },
            rounds=rounds,
            targets=_targets(read),
        )
    yield compare(
        name,
        "latest version",
        {
            "ours": partial(_repeat, store.get_latest_version, actor, int(2000 * scale)),
            "bare": partial(_repeat, bare.latest, actor, int(2000 * scale)),
            "peer": partial(_repeat, peer.latest, actor, int(2000 * scale)),
        },
        rounds=rounds,
        targets=_targets(None),
    )
    number = int(100_000 * scale)
    reader = store.with_namespace("whole")
    whole = workload.events(workload.actor_id(), number)
    bare.create()
    for start in range(0, number, 1000):
        part = whole[start : start + 1000]
        reader.save_events(part)
    bare.append(whole)
    whole_peer.put(whole)
    yield compare(
        name,
        f"read the whole store, {number:,} events",
        {
            "ours": lambda: sum(1 for _ in reader.read_all()),
            "bare": bare.stream,
            "peer": whole_peer.stream,
        },
        rounds=rounds,
        targets=_targets(None),
    )


def _targets(bare: float | None) -> dict[str, float]:
    """Return the targets of a row: always ahead of the peer, and ``bare`` of the bare driver."""
    return {"peer": 1.0} if bare is None else {"bare": bare, "peer": 1.0}


def _appenders(
    store: EventStore, bare: Bare, plain: Bare, peer: Peer, size: int, calls: int
) -> dict[str, Rival]:
    def rival(append: Callable[[Any], Any]) -> Rival:
        def run() -> int:
            for history in batches():
                append(history)
            return calls * size

        return run

    def batches() -> Iterator[Any]:
        return workload.histories(calls, size)

    return {
        "ours": rival(store.save_events if size > 1 else lambda events: store.save_event(*events)),
        "bare": rival(bare.append),
        "plain": rival(plain.append),
        "peer": rival(peer.append),
    }


def _read(read: Callable[[str], list[Any]], actor: str, size: int, repeats: int) -> int:
    for _ in range(repeats):
        assert len(read(actor)) == size
    return size * repeats


def _repeat(call: Callable[[str], int], actor: str, repeats: int) -> int:
    for _ in range(repeats):
        assert call(actor)
    return repeats


def _threads(server: PostgresServer, scale: float, rounds: int) -> Row:
    """8 threads, each appending single events to actors of its own."""
    each, threads = int(500 * scale), 8
    bare = [BarePostgres(server.dsn()) for _ in range(threads)]
    bare[0].create()
    peer = postgres_peer(server, "peer_threads")

    def ours(_: int) -> None:
        store = event_stores["postgres"]
        try:
            for history in workload.histories(each, 1):
                store.save_event(*history)
        finally:
            connections["postgres"].close()

    def driver(number: int) -> None:
        for history in workload.histories(each, 1):
            bare[number].append(history)

    def rival(_: int) -> None:
        for history in workload.histories(each, 1):
            peer.append(history)

    def together(work: Callable[[int], None]) -> Rival:
        def run() -> int:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(work, range(threads)))
            return each * threads

        return run

    return compare(
        "postgresql",
        "append 1 event from 8 threads",
        {"ours": together(ours), "bare": together(driver), "peer": together(rival)},
        rounds=rounds,
        targets={"bare": 0.8, "peer": 1.0},
    )


def _bulk(
    server: PostgresServer, store: EventStore, bare: BarePostgres, number: int, rounds: int
) -> Iterator[Row]:
    """Import through the store in batches against COPY; stream everything out."""
    imported = iter(range(rounds + 2))

    def ours() -> int:
        target = store.with_namespace(f"bulk-{next(imported)}")
        batch = []
        for event in _stream_of_events(number):
            batch.append(event)
            if len(batch) == 1000:
                target.save_events(batch)
                batch = []
        if batch:
            target.save_events(batch)
        return number

    def driver() -> int:
        bare.create()
        return bare.copy_in(_stream_of_events(number))

    yield compare(
        "postgresql",
        f"import {number:,} events in batches of 1,000",
        {"ours": ours, "bare": driver},
        rounds=min(rounds, 2),
        targets={"bare": 0.5},
        note="bare: one COPY",
    )
    namespace = f"bulk-{next(imported) - 1}"
    reader = store.with_namespace(namespace)
    yield compare(
        "postgresql",
        f"stream {number:,} events out",
        {"ours": lambda: sum(1 for _ in reader.read_all()), "bare": bare.stream},
        rounds=min(rounds, 2),
        targets={"bare": 0.5},
        note=f"peak memory of a reading process {_peak_memory(server, namespace):.0f} MiB",
    )


def _stream_of_events(number: int) -> Iterator[Any]:
    for start in range(0, number, 100):
        for version, event in enumerate(workload.events(workload.actor_id(), 100), 1):
            if start + version <= number:
                yield replace(event, version=version)


def _peak_memory(server: PostgresServer, namespace: str) -> float:
    """Return the peak resident size, in MiB, of a fresh process that streams the namespace."""
    code = "from benchmarks.databases import read_in_child; read_in_child()"
    finished = subprocess.run(
        [sys.executable, "-c", code, server.host, namespace],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(finished.stdout)


def read_in_child() -> None:
    """Stream a namespace and print this process's peak resident size in MiB."""
    import django
    from django.conf import settings

    host, namespace = sys.argv[1:]
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "postgres",
                "USER": PostgresServer.user,
                "HOST": host,
                "PORT": str(PostgresServer.port),
            }
        },
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_eventstore"],
        USE_TZ=True,
    )
    django.setup()
    for _ in event_stores["default"].with_namespace(namespace).read_all():
        pass
    # Not getrusage(), which counts in the process that started this one.
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    print(int(peak.split()[1]) / 1024)
