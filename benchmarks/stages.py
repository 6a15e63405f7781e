"""Where the time of an append goes, on SQLite and PostgreSQL: `python -m benchmarks.stages`."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks import workload
from benchmarks.bare import BarePostgres, BareSQLite
from benchmarks.environment import connect_sqlite, started_databases

# size of a batch -> how many batches
CALLS = {1: 3000, 10: 500, 100: 100, 1000: 20}


class Stages:
    """Times functions while they are called, each without what it calls of the others."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    @contextmanager
    def timed(self, owner: Any, name: str, stage: str) -> Iterator[None]:
        """Count the time in ``owner.name`` as that of ``stage``, inside the block."""
        function = getattr(owner, name)
        setattr(owner, name, self._timed(function, stage))
        try:
            yield
        finally:
            setattr(owner, name, function)

    def _timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._inner.append(0.0)
            start = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                took = perf_counter() - start
                self.seconds[stage] += took - self._inner.pop()
                self._inner[-1] += took

        return timed


def main() -> None:
    """Measure each size in turn with the bare driver, and print medians for an event."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with started_databases(durable=False) as (file, server):
        from django_eventstore import event_stores
        from django_eventstore.backends.database.postgresql import PostgreSQL
        from django_eventstore.backends.database.sqlite import SQLite

        sqlite = BareSQLite(connect_sqlite(file.with_name("bare.sqlite3")))
        rivals = [
            ("sqlite", event_stores["default"], SQLite, sqlite),
            ("postgresql", event_stores["postgres"], PostgreSQL, BarePostgres(server.dsn())),
        ]
        print(
            "| store | events | microseconds an event | of these | bare |\n|---|---:|---:|---|---:|"
        )
        for name, store, vendor, bare in rivals:
            bare.create()
            for size, calls in CALLS.items():
                _print(
                    name, size, [_measure(store, vendor, bare, size, calls) for _ in range(rounds)]
                )


def _measure(store: Any, vendor: type, bare: Any, size: int, calls: int) -> dict[str, float]:
    """Return stage -> seconds an event, and those of all and of the bare driver."""
    from django_eventstore.store import saving

    stages = Stages()
    with (
        stages.timed(saving, "new_events", "checking and encoding"),
        stages.timed(vendor, "append", "around the statements"),
        stages.timed(vendor, "fetch_unwatched", "driver and server"),
        stages.timed(vendor, "lock_actors", "driver and server"),
        stages.timed(vendor, "insert_events", "driver and server"),
        stages.timed(vendor, "move_actors", "driver and server"),
        stages.timed(saving, "_saved", "events to give back"),
    ):
        ours = _append(store.save_events, size, calls)
    stages.seconds["the rest"] = ours - sum(stages.seconds.values())
    theirs = _append(bare.append, size, calls)
    events = size * calls
    return {
        name: took / events for name, took in {**stages.seconds, "": ours, "bare": theirs}.items()
    }


def _append(append: Callable[[Any], Any], size: int, calls: int) -> float:
    histories = list(workload.histories(calls, size))
    start = perf_counter()
    for history in histories:
        append(history)
    return perf_counter() - start


def _print(name: str, size: int, rounds: list[dict[str, float]]) -> None:
    took = {stage: median(each[stage] for each in rounds) * 1e6 for stage in rounds[0]}
    total, bare = took.pop(""), took.pop("bare")
    parts = ", ".join(f"{stage} {value:.1f}" for stage, value in took.items())
    print(f"| {name} | {size} | {total:.1f} | {parts} | {bare:.1f} |", flush=True)


if __name__ == "__main__":
    main()
