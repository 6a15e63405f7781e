"""Waiting, for threads and tasks alike.

The store's logic is written once, as coroutines that await nothing but an ``Operation``. A
thread runs such a coroutine with ``run()``, blocking at each operation; an event loop with
``arun()``, without blocking. What the operation itself does happens on the connection's thread.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Self, TypeVar

Result = TypeVar("Result")


class Operation:
    """Something that ends: at the latest, for those who wait, at ``deadline``.

    ``await operation`` returns the operation; ``done`` tells whether it ended in time.

    Args:
        deadline: as ``time.monotonic()`` counts, in seconds.
    """

    __slots__ = ("_lock", "_wake", "deadline", "done")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.done = False
        self._lock = threading.Lock()
        self._wake: Callable[[], None] | None = None

    def __await__(self) -> Generator[Operation, None, Self]:
        if not self.done:
            yield self
        return self

    def finish(self) -> None:
        """Mark it done, and wake who waits. From any thread; a second call does nothing."""
        with self._lock:
            wake, self._wake = self._wake, None
            self.done = True
        if wake is not None:
            wake()

    def give_up(self) -> None:
        """Nobody waits for it any more."""

    def _attach(self, wake: Callable[[], None]) -> bool:
        """Have ``wake`` called at the end; False if that is past."""
        with self._lock:
            if not self.done:
                self._wake = wake
            return not self.done

    def begin(self) -> None:
        """Called when somebody starts to wait in a thread."""

    def begin_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called when somebody starts to wait on ``loop``, in its thread."""

    def wake_later(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
        """Resolve ``future``, which is ``loop``'s, from whatever thread this is."""
        call_threadsafe(loop, resolve, future)

    def start_timer(
        self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]
    ) -> asyncio.TimerHandle | None:
        """Return what resolves ``future`` at the deadline."""
        return loop.call_later(self.deadline - time.monotonic(), resolve, future)

    def wait(self) -> None:
        """Block this thread until it is done, or the deadline."""
        self.begin()
        gate = threading.Lock()
        gate.acquire()
        if self._attach(gate.release):
            gate.acquire(timeout=max(0.0, self.deadline - time.monotonic()))

    async def wait_async(self) -> None:
        """See wait(); holds up the running task only."""
        loop = asyncio.get_running_loop()
        self.begin_soon(loop)
        future = loop.create_future()
        if self._attach(lambda: self.wake_later(loop, future)):
            timer = self.start_timer(loop, future)
            try:
                await future
            finally:
                if timer is not None:
                    timer.cancel()


def call_threadsafe(
    loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: Any
) -> None:
    """Have ``loop`` call ``function``; nothing happens if the loop is closed."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:  # closed: nobody is left to wake
        return


def resolve(*futures: asyncio.Future[None]) -> None:
    """Resolve ``futures``, those of them that are not done."""
    for future in futures:
        if not future.done():
            future.set_result(None)


def run(coroutine: Coroutine[Operation, None, Result]) -> Result:
    """Run ``coroutine`` in this thread and return what it returns."""
    try:
        operation = coroutine.send(None)
        while True:
            try:
                operation.wait()
            except BaseException as error:  # Ctrl-C in the middle of waiting
                operation.give_up()
                operation = coroutine.throw(error)
                continue
            if not operation.done:
                operation.give_up()
            operation = coroutine.send(None)
    except StopIteration as stop:
        result: Result = stop.value
        return result


async def arun(coroutine: Coroutine[Operation, None, Result]) -> Result:
    """Run ``coroutine`` in this task and return what it returns."""
    try:
        operation = coroutine.send(None)
        while True:
            try:
                await operation.wait_async()
            except BaseException as error:  # the task is cancelled
                operation.give_up()
                operation = coroutine.throw(error)
                continue
            if not operation.done:
                operation.give_up()
            operation = coroutine.send(None)
    except StopIteration as stop:
        result: Result = stop.value
        return result


class Turns:
    """Locks by name, for threads and tasks together; first come, first served."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[str, list[Operation]] = {}

    async def take(self, name: str, deadline: float) -> bool:
        """Wait for the turn of ``name``; False if it did not come before the deadline."""
        with self._lock:
            queue = self._queues.get(name)
            if queue is None:
                self._queues[name] = []
                return True
            turn = Operation(deadline)
            queue.append(turn)
        try:
            await turn
        except BaseException:
            self._leave(name, turn)
            raise
        if not turn.done:
            self._leave(name, turn)
            return False
        return True

    def give(self, name: str) -> None:
        """End the turn of ``name``."""
        with self._lock:
            queue = self._queues[name]
            if queue:
                turn = queue.pop(0)
            else:
                del self._queues[name]
                return
        turn.finish()

    def _leave(self, name: str, turn: Operation) -> None:
        with self._lock:
            queue = self._queues[name]
            waiting = turn in queue
            if waiting:
                queue.remove(turn)
        if not waiting:  # it came at the last moment
            self.give(name)
