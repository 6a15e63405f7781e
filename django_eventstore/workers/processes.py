"""New processes that work until they are done or told to stop, and what watches over them."""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import signal
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait as wait_for_any
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Final

import django
from django.core.exceptions import ImproperlyConfigured

from ..exceptions import EventStoreError
from ..store.subscriptions import Stop

logger = logging.getLogger("django_eventstore")

POLL_SECONDS: Final = 0.25
"""How often whoever waits for workers looks whether there is anything else to do."""

_RESTART_SECONDS: Final = 1.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class AnyOf:
    """A stop that is set as soon as one of several is."""

    def __init__(self, *stops: Stop) -> None:
        self._stops = stops

    def is_set(self) -> bool:
        return any(stop.is_set() for stop in self._stops)


def watch_processes(
    count: int, function: Callable[[], object], *, restart: bool
) -> Generator[None]:
    """Call a function in ``count`` new processes, and yield now and then until all have ended.

    Closing the generator tells them to stop, and waits until they have; Ctrl-C ends the wait,
    and kills them.

    Args:
        count: how many.
        function: picklable, such as a ``partial()`` of one at the top of a module.
        restart: start those anew that are killed; otherwise the others go on without them.

    Raises:
        EventStoreError: a process failed (its own output says why), or all were killed. The
            others have ended.
    """
    # Pickled here, for the process to load when Django is set up there: it may import models.
    pickled = pickle.dumps(function)
    processes = [_start(pickled) for _ in range(count)]
    finished = killed = 0
    try:
        while processes:
            yield
            wait_for_any([process.sentinel for process in processes], timeout=POLL_SECONDS)
            for process in [process for process in processes if process.exitcode is not None]:
                processes.remove(process)
                if process.exitcode == 0:
                    finished += 1
                elif process.exitcode is not None and process.exitcode < 0:
                    logger.error("A worker was killed by signal %s", -process.exitcode)
                    killed += 1
                    if restart:
                        time.sleep(_RESTART_SECONDS)
                        processes.append(_start(pickled))
                else:
                    raise EventStoreError(
                        f"A worker process ended with status {process.exitcode}; see its output."
                    )
        if killed and not finished:
            raise EventStoreError("All worker processes were killed before the work was done.")
    finally:
        for process in processes:
            process.terminate()
        try:
            for process in processes:
                process.join()
        except KeyboardInterrupt:
            for process in processes:
                process.kill()
            raise


def _start(pickled: bytes) -> BaseProcess:
    # A new interpreter: after a fork, connections and locks of this one would be shared.
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_call, args=(pickled,))
    with _blocked_signals():
        process.start()
    return process


def _call(pickled: bytes) -> None:
    """Set Django up in a new process, and call what was pickled.

    An error that says by itself what is wrong ends the process with status 1, and no traceback.
    """
    django.setup()
    try:
        pickle.loads(pickled)()  # noqa: S301 - from our parent
    except (EventStoreError, ImproperlyConfigured) as error:
        raise SystemExit(str(error)) from error


@contextmanager
def _blocked_signals() -> Iterator[None]:
    """Let signals wait, in this thread and in processes started here, which inherit that.

    A process that is told to end before it is ready would break off in the middle of an import,
    with a traceback.
    """
    # Started by the first process otherwise, and it unblocks the signals.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def told_to_stop() -> Stop:
    """Return what says to a process of ``watch_processes()`` that it is to end.

    That is after SIGTERM, or when its parent is gone. Not after a second signal with more haste:
    a service manager tells the whole group, and then the parent tells once more.
    """
    told = _Told()
    # Ctrl-C reaches the whole group, and the parent then tells us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, told)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    return told


class _Told:
    """Set when the signal has come that it handles, or the parent of this process is gone."""

    def __init__(self) -> None:
        self._told = False
        self._parent = multiprocessing.parent_process()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        # An event would not do: setting it is not safe in a handler that may come twice.
        self._told = True

    def is_set(self) -> bool:
        return self._told or (self._parent is not None and not self._parent.is_alive())
