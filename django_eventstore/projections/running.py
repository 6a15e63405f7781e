"""Threads and processes for workers of several projections."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import connections

from ..exceptions import ConsumerReplaced
from ..store.subscriptions import Stop
from ..workers.leases import DEFAULT_LEASE
from ..workers.loop import make_when_possible
from ..workers.processes import POLL_SECONDS, AnyOf, told_to_stop, watch_processes
from .registry import get_projection
from .worker import ProjectionWorker


def make_worker(name: str, **options: Any) -> ProjectionWorker:
    """Return a worker on the live generation of the projection called ``name``."""
    return ProjectionWorker(get_projection(name), **options)


def work(
    names: Sequence[str],
    *,
    stop: Stop,
    workers: int = 1,
    once: bool = False,
    lease: timedelta = DEFAULT_LEASE,
    make: Callable[..., ProjectionWorker] = make_worker,
    on_wait: Callable[[], None] = lambda: None,
) -> None:
    """Run a worker for each projection, each in a thread of its own, until told to stop.

    Args:
        workers: how many processes do that; 1: this one. Others are started again when they are
            killed.
        make: makes the worker of a projection, whose name it gets first, and ``stop``, ``once``
            and ``lease`` by keyword; a function at the top of a module.
        on_wait: called several times a second meanwhile.

    Raises:
        EventStoreError: a process failed; its own output says why. The others have ended.
        Exception: what a worker in this process raised, once the others have ended.
    """
    options: dict[str, Any] = {"once": once, "lease": lease, "make": make}
    if workers == 1:
        _work_here(names, stop, on_wait, **options)
        return
    call = partial(_work_until_told, list(names), **options)
    with closing(watch_processes(workers, call, restart=True)) as watching:
        for _ in watching:
            if stop.is_set():
                break
            on_wait()


def _work_until_told(names: Sequence[str], **options: Any) -> None:
    _work_here(names, told_to_stop(), lambda: None, **options)


def _work_here(
    names: Sequence[str], stop: Stop, on_wait: Callable[[], None], **options: Any
) -> None:
    failed = threading.Event()
    options["stop"] = AnyOf(stop, failed)
    with ThreadPoolExecutor(len(names), thread_name_prefix="projection") as pool:
        runs = [pool.submit(_run, name, **options) for name in names]
        try:
            while not _ended(*wait(runs, POLL_SECONDS, FIRST_EXCEPTION)):
                on_wait()
        finally:
            # All have ended, one could not go on, or a second signal says: at once.
            failed.set()
    for run in runs:
        run.result()


def _ended(done: set[Future[None]], going_on: set[Future[None]]) -> bool:
    return not going_on or any(run.exception() for run in done)


def _run(name: str, make: Callable[..., ProjectionWorker], **options: Any) -> None:
    try:
        while True:
            worker = make_when_possible(partial(make, name, **options), name, options["stop"])
            if worker is None:
                return
            with suppress(ConsumerReplaced):
                worker.run()
                return
    finally:
        connections.close_all()
