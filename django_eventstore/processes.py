"""New processes that work until they are done or told to stop, and what watches over them."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait as wait_for_any
from multiprocessing.process import BaseProcess
from typing import Any, Final

from . import child
from .exceptions import EventStoreError
from .management.interrupts import Interrupt
from .subscriptions import Stop

logger = logging.getLogger("django_eventstore")

_RESTART_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.1


class AnyOf:
    """A stop that is set as soon as one of several is."""

    def __init__(self, *stops: Stop) -> None:
        self._stops = stops

    def is_set(self) -> bool:
        return any(stop.is_set() for stop in self._stops)


def watch_processes(
    count: int, function: str, options: dict[str, Any], *, restart: bool
) -> Generator[None]:
    """Run a function in ``count`` new processes, and yield now and then until all have ended.

    Closing the generator tells them to stop, and waits until they have.

    Args:
        count: how many.
        function: its dotted path.
        options: its arguments, by keyword; picklable.
        restart: start those anew that are killed; otherwise the others go on without them.

    Raises:
        EventStoreError: a process failed (its own output says why), or all were killed. The
            others have ended.
    """
    processes = [_start(function, options) for _ in range(count)]
    finished = killed = 0
    try:
        while processes:
            yield
            wait_for_any([process.sentinel for process in processes], timeout=_POLL_SECONDS)
            for process in [process for process in processes if process.exitcode is not None]:
                processes.remove(process)
                if process.exitcode == 0:
                    finished += 1
                elif process.exitcode is not None and process.exitcode < 0:
                    logger.error("A worker was killed by signal %s", -process.exitcode)
                    killed += 1
                    if restart:
                        time.sleep(_RESTART_SECONDS)
                        processes.append(_start(function, options))
                else:
                    raise EventStoreError(
                        f"A worker process ended with status {process.exitcode}; see its output."
                    )
        if killed and not finished:
            raise EventStoreError("All worker processes were killed before the work was done.")
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _start(function: str, options: dict[str, Any]) -> BaseProcess:
    # A new interpreter: after a fork, connections and locks of this one would be shared.
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=child.run, args=(function, options))
    process.start()
    return process


@contextmanager
def told_to_stop() -> Iterator[Stop]:
    """Give a process of ``watch_processes()`` what says that it is to end.

    That is after a signal, or when its parent is gone. A second signal ends the block at once.
    """
    with suppress(KeyboardInterrupt), Interrupt() as interrupt:
        yield AnyOf(interrupt, _Orphaned())


class _Orphaned:
    """Set when the parent of this process is gone."""

    def __init__(self) -> None:
        self._parent = multiprocessing.parent_process()

    def is_set(self) -> bool:
        return self._parent is not None and not self._parent.is_alive()
