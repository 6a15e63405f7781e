"""Several processes on one projection: what one, two and four of them get done."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from statistics import median
from typing import Final

from django.db import connections

from benchmarks.timing import Row
from django_eventstore import Event, EventStore
from django_eventstore.projections import Projection, ProjectionWorker

COUNTS: Final = (1, 2, 4)
_WAIT_SECONDS: Final = 0.002

Make = Callable[[Callable[[Event], None]], Projection]


def worker_rows(store: EventStore, make: Make, number: int, rounds: int) -> Iterator[Row]:
    """Yield a row for a projection that keeps the machine busy, and for one that mostly waits.

    Args:
        store: what is projected.
        make: makes a projection that begins at the first event, and calls this for each event
            besides what it does with it.
        number: of how many events.
        rounds: how often each number of workers is timed, in turn.
    """
    yield _row(store, partial(make, lambda event: None), "one upsert an event", number, rounds)
    waiting = partial(make, lambda event: time.sleep(_WAIT_SECONDS))
    what = f"one upsert and {_WAIT_SECONDS * 1000:.0f} ms of waiting an event"
    yield _row(store, waiting, what, number // 5, rounds)


def _row(
    store: EventStore, make: Callable[[], Projection], what: str, number: int, rounds: int
) -> Row:
    end = next(islice(store.read_all(), number - 1, None)).position or 0
    _seconds(make(), end + 1, COUNTS[-1])  # warms up
    rates: dict[int, list[float]] = {count: [] for count in COUNTS}
    for _ in range(rounds):
        for count in COUNTS:
            rates[count].append(number / _seconds(make(), end + 1, count))
    medians = {f"workers: {count}": median(values) for count, values in rates.items()}
    ratios = {
        f"{count} to 1": median(
            many / one for many, one in zip(rates[count], rates[1], strict=True)
        )
        for count in COUNTS[1:]
    }
    note = ", ".join(f"{name}: {rate:,.0f}/s" for name, rate in medians.items())
    rates_of_all = {"ours": medians[f"workers: {COUNTS[-1]}"], **medians}
    operation = f"projection shared by {', '.join(map(str, COUNTS))} workers, {what}"
    return Row("postgresql", operation, rates_of_all, ratios, note=note)


def _seconds(projection: Projection, before: int, count: int) -> float:
    """Return how long the workers take: from when all have their shares to the last event."""
    consumer = projection.open_consumer()
    connections.close_all()
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(count)
    times, sender = multiprocessing.Pipe(duplex=False)

    def work() -> None:
        last = 0.0
        apply = projection.apply

        def timed(event: Event) -> None:
            nonlocal last
            apply(event)
            last = time.monotonic()

        projection.apply = timed  # type: ignore[method-assign]
        worker = ProjectionWorker(projection, consumer=consumer, once=True, before=before)
        with worker.leases.membership():
            # In step: all are there; each gives up what others should have; each takes its own.
            for _ in range(3):
                worker.balance()
                ready.wait()
            start = time.monotonic()
            worker.keep_working()
        sender.send((start, last or start))

    running = [context.Process(target=work) for _ in range(count)]
    for process in running:
        process.start()
    measured = [times.recv() for _ in running]
    for process in running:
        process.join()
    return max(end for _, end in measured) - min(start for start, _ in measured)
