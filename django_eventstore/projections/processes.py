"""Workers of several projections in one process, and in several processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final

from django.db import connections
from django.utils.module_loading import import_string

from ..exceptions import ConsumerReplaced
from ..store.subscriptions import Stop
from ..workers.leases import DEFAULT_LEASE
from ..workers.loop import make_when_possible
from ..workers.processes import AnyOf, told_to_stop, watch_processes
from .registry import get_projection
from .worker import ProjectionWorker

MAKE_WORKER: Final = "django_eventstore.projections.processes.make_worker"
_POLL_SECONDS: Final = 0.1
_WORK: Final = "django_eventstore.projections.processes.work_until_told"


def make_worker(name: str, **options: Any) -> ProjectionWorker:
    """Return a worker on the live generation of the projection called ``name``."""
    return ProjectionWorker(get_projection(name), **options)


def work(
    names: Sequence[str],
    *,
    stop: Stop,
    once: bool = False,
    lease: timedelta = DEFAULT_LEASE,
    make: str = MAKE_WORKER,
    on_wait: Callable[[], None] = lambda: None,
) -> int:
    """Run a worker for each projection, each in a thread of its own, until told to stop.

    Args:
        make: the dotted path of a function that makes the worker of a projection, whose name it
            gets first, and ``stop``, ``once`` and ``lease`` by keyword.
        on_wait: called several times a second meanwhile.

    Returns:
        How many events they applied.

    Raises:
        What a worker raised, once the others have ended.
    """
    failed = threading.Event()
    stop_all = AnyOf(stop, failed)
    with ThreadPoolExecutor(len(names), thread_name_prefix="projection") as pool:
        runs = [
            pool.submit(_run, make, name, stop=stop_all, once=once, lease=lease) for name in names
        ]
        try:
            while not _ended(*wait(runs, _POLL_SECONDS, FIRST_EXCEPTION)):
                on_wait()
        finally:
            # All have ended, one could not go on, or a second signal says: at once.
            failed.set()
    return sum(run.result() for run in runs)


def _ended(done: set[Future[int]], going_on: set[Future[int]]) -> bool:
    return not going_on or any(run.exception() for run in done)


def _run(make: str, name: str, **options: Any) -> int:
    applied = 0
    try:
        while True:
            start = partial(import_string(make), name, **options)
            worker: ProjectionWorker | None = make_when_possible(start, name, options["stop"])
            if worker is None:
                return applied
            with suppress(ConsumerReplaced):
                return applied + worker.run()
            applied += worker.applied
    finally:
        connections.close_all()


def work_in_processes(
    count: int,
    names: Sequence[str],
    *,
    stop: Stop,
    once: bool = False,
    lease: timedelta = DEFAULT_LEASE,
    make: str = MAKE_WORKER,
    on_wait: Callable[[], None] = lambda: None,
) -> None:
    """Run ``work()`` in ``count`` new processes until told to stop; start killed ones again.

    The arguments are those of ``work()``.

    Raises:
        EventStoreError: a process failed; its own output says why. The others have ended.
    """
    options = {"names": list(names), "once": once, "lease": lease, "make": make}
    with closing(watch_processes(count, _WORK, options, restart=True)) as watching:
        for _ in watching:
            if stop.is_set():
                break
            on_wait()


def work_until_told(**options: Any) -> None:
    """Run ``work()`` in a process of its own, until told to stop or its parent is gone."""
    work(stop=told_to_stop(), **options)
