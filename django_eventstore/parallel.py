"""Sharing work out among processes, actor by actor."""

from __future__ import annotations

import logging
import multiprocessing
import queue
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.context import SpawnProcess
from typing import Any, Final

from django.utils.module_loading import import_string

from .conf import event_stores
from .exceptions import EventStoreError
from .sharding import ShardManager
from .store import EventStore

_POLL_SECONDS: Final = 0.1


class WorkerDied(EventStoreError):
    """A worker process ended without finishing its part.

    Attributes:
        exit_code: its exit status; negative: the signal that ended it.
    """

    def __init__(self, exit_code: int | None) -> None:
        self.exit_code = exit_code
        super().__init__(
            f"A worker process ended with exit status {exit_code} before its part was done. "
            f"Run the command again."
        )


@dataclass(frozen=True, slots=True)
class Share:
    """The part of the actors that one of several workers does: whole shards.

    Attributes:
        number: which worker, from 0.
        workers: how many there are.
    """

    number: int
    workers: int

    def holds(self, actor_id: str | None) -> bool:
        """Tell whether the actor is in this share; what belongs to no actor is in the first."""
        if not actor_id:
            return self.number == 0
        return self.workers == 1 or _shards().get_shard(actor_id) % self.workers == self.number


@lru_cache(maxsize=1)
def _shards() -> ShardManager:
    return ShardManager()


Work = Callable[..., Iterator[Any]]


def run_in_shares(
    work: str, store: EventStore, arguments: tuple[Any, ...], *, workers: int
) -> Iterator[Any]:
    """Run a function once for each share, and yield what all of them yield, as it comes.

    Args:
        work: the dotted path of a function ``work(store, share, *arguments)`` that yields.
        store: given to each, made anew in each process by its alias, in this namespace.
        arguments: more arguments; they must be picklable.
        workers: how many processes; 1: this one.

    Raises:
        WorkerDied: a process ended before its part was done. Closing the generator ends all.
    """
    if workers == 1:
        yield from import_string(work)(store, Share(0, 1), *arguments)
        return
    context = multiprocessing.get_context("spawn")
    # Bounded: workers wait for us, not the memory for them.
    messages = context.Queue(maxsize=10 * workers)
    processes = [
        context.Process(
            target=_run,
            args=(messages, work, store.alias, store.namespace, Share(number, workers), arguments),
            daemon=True,
        )
        for number in range(workers)
    ]
    for process in processes:
        process.start()
    try:
        yield from _gather(messages, processes)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


class _Done:
    """A worker's last message."""


def _gather(messages: Any, processes: list[SpawnProcess]) -> Iterator[Any]:
    left = len(processes)
    while left:
        try:
            message = messages.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            for process in processes:
                if process.exitcode not in (None, 0):
                    raise WorkerDied(process.exitcode) from None
            continue
        if isinstance(message, _Done):
            left -= 1
        elif isinstance(message, Exception):
            raise message
        else:
            yield message


def _run(
    messages: Any,
    work: str,
    alias: str,
    namespace: str,
    share: Share,
    arguments: tuple[Any, ...],
) -> None:
    import django

    # Ctrl-C reaches the whole group; the parent decides what becomes of us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    django.setup()
    # Each process meets every malformed event; the one whose share it is in tells.
    logging.getLogger("django_eventstore").setLevel(logging.ERROR)
    try:
        store = event_stores[alias].with_namespace(namespace)
        for message in import_string(work)(store, share, *arguments):
            messages.put(message)
    except EventStoreError as error:
        messages.put(error)
    messages.put(_Done())
    with suppress(OSError):
        messages.close()
        messages.join_thread()
