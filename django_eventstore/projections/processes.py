"""Workers of several projections in one process, and in several processes."""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import timedelta
from multiprocessing.connection import wait as wait_for_any
from multiprocessing.process import BaseProcess
from typing import Any, Final

from django.db import connections
from django.utils.module_loading import import_string

from .. import child
from ..exceptions import ConsumerReplaced, EventStoreError
from ..leases import DEFAULT_LEASE
from ..management.interrupts import Interrupt
from ..subscriptions import Stop
from .registry import get_projection
from .worker import ProjectionWorker

logger = logging.getLogger("django_eventstore")

_RESTART_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.1

MAKE_WORKER: Final = "django_eventstore.projections.processes.make_worker"
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
) -> int:
    """Run a worker for each projection, each in a thread of its own, until told to stop.

    Args:
        make: the dotted path of a function that makes the worker of a projection, whose name it
            gets first, and ``stop``, ``once`` and ``lease`` by keyword.

    Returns:
        How many events they applied.

    Raises:
        What a worker raised, once the others have ended.
    """
    failed = threading.Event()
    stop_all = _Either(stop, failed)
    with ThreadPoolExecutor(len(names), thread_name_prefix="projection") as pool:
        runs = [
            pool.submit(_run, make, name, stop=stop_all, once=once, lease=lease) for name in names
        ]
        try:
            wait(runs, return_when=FIRST_EXCEPTION)
        finally:
            # All have ended, one could not go on, or a second signal says: at once.
            failed.set()
    return sum(run.result() for run in runs)


class _Either:
    """Set as soon as one of them is."""

    def __init__(self, *stops: Stop) -> None:
        self._stops = stops

    def is_set(self) -> bool:
        return any(stop.is_set() for stop in self._stops)


def _run(make: str, name: str, **options: Any) -> int:
    applied = 0
    try:
        while True:
            worker: ProjectionWorker = import_string(make)(name, **options)
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
) -> None:
    """Run ``work()`` in ``count`` new processes until told to stop; start killed ones again.

    Raises:
        EventStoreError: a process failed; its own output says why. The others have ended.
    """
    options = {"names": list(names), "once": once, "lease": lease, "make": make}
    processes = [_start(options) for _ in range(count)]
    try:
        while processes and not stop.is_set():
            wait_for_any([process.sentinel for process in processes], timeout=_POLL_SECONDS)
            for process in [process for process in processes if process.exitcode is not None]:
                processes.remove(process)
                if process.exitcode is not None and process.exitcode < 0:
                    logger.error("A worker was killed by signal %s", -process.exitcode)
                    time.sleep(_RESTART_SECONDS)
                    processes.append(_start(options))
                elif process.exitcode:
                    raise EventStoreError(
                        f"A worker process ended with status {process.exitcode}; see its output."
                    )
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _start(options: dict[str, Any]) -> BaseProcess:
    # A new interpreter: after a fork, connections and locks of this one would be shared.
    process = multiprocessing.get_context("spawn").Process(target=child.run, args=(_WORK, options))
    process.start()
    return process


def work_until_told(**options: Any) -> None:
    """Run ``work()`` in a process of its own, until a signal comes or its parent is gone."""
    with suppress(KeyboardInterrupt), Interrupt() as interrupt:
        work(stop=_Either(interrupt, _Orphaned()), **options)


class _Orphaned:
    """Set when the parent of this process is gone."""

    def __init__(self) -> None:
        self._parent = multiprocessing.parent_process()

    def is_set(self) -> bool:
        return self._parent is not None and not self._parent.is_alive()
