"""One NATS connection per process and login, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from nats.errors import Error as NatsError

from ..config import JetStreamConfig
from .operation import Operation
from .traffic import Traffic
from .wire import Client

logger = logging.getLogger("django_eventstore")


OPTIONS: Final[dict[str, Any]] = {
    "name": "django-eventstore",
    # Nothing is kept for later while disconnected: a publish that was reported as failed must not
    # be stored after the reconnect.
    "pending_size": 0,
    # For ever: a process outlives its server's restarts. Each call has a deadline.
    "max_reconnect_attempts": -1,
    "reconnect_time_wait": 0.2,
    "ping_interval": 5,
    "max_outstanding_pings": 2,
    "drain_timeout": 1,
}
"""What every connection of ours is made with."""

CLOSING_SECONDS: Final = 2.0
"""How long to wait at most until a connection has closed in order."""

REFUSALS: Final = ("authorization violation", "authentication expired", "authentication revoked")
"""What a server says to those who may not log in."""


class Connection(Traffic):
    """A connection that many threads and tasks share. Its loop's thread does nothing but wire work.

    Args:
        login: options of ``Client.connect()``.
    """

    def __init__(self, login: dict[str, Any]) -> None:
        super().__init__(asyncio.new_event_loop())
        self.login = login
        self._servers = len(login["servers"])
        # Of two rounds: an attempt may fail without telling why the ones before it were refused.
        self._errors: deque[Exception] = deque(maxlen=2 * self._servers)
        self.server_version: tuple[int, ...] = (0,)
        self.max_payload = 0
        self._connecting: asyncio.Task[None] | None = None
        self._ready: list[Operation] = []
        self.closed = False
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="django-eventstore-nats", daemon=True
        )
        self._thread.start()

    # -- from any thread

    @property
    def error(self) -> Exception | None:
        """Why there is no connection, as far as is known: a refused login before all else."""
        errors = list(self._errors)
        return next(filter(_is_refusal, errors), errors[-1] if errors else None)

    @property
    def refused(self) -> bool:
        """Whether there is no connection because every server refuses to let us in."""
        errors = list(self._errors)[-self._servers :]
        return not self.usable and len(errors) == self._servers and all(map(_is_refusal, errors))

    def connected(self, deadline: float) -> Operation:
        """Return what is done once there is a connection, or every server has refused to let us in.

        Starts to connect if need be.
        """
        operation = Operation(deadline)
        self._loop.call_soon_threadsafe(self._when_ready, operation)
        return operation

    def pause(self, seconds: float, deadline: float) -> Operation:
        """Return what is done in ``seconds``."""
        operation = Operation(deadline)
        self._loop.call_soon_threadsafe(self._loop.call_later, seconds, operation.finish)
        return operation

    def listen_once(self, subject: str, heard: Callable[[], None]) -> Future[bool]:
        """Have ``heard`` called on the next message to ``subject``, on the loop's thread.

        The result tells whether the server listens now: only where there is a connection.
        """
        if self.closed:
            raise ConnectionError("the connection is closed")
        return asyncio.run_coroutine_threadsafe(self._listen_once(subject, heard), self._loop)

    def close(self) -> None:
        """Send what is to be sent, and close."""
        if self.closed:
            return
        self.closed = True
        closing = asyncio.run_coroutine_threadsafe(self._close(), self._loop)
        try:
            closing.result(CLOSING_SECONDS)
        except (TimeoutError, NatsError, OSError) as error:
            logger.warning("The NATS connection did not close in order: %r", error)
            asyncio.run_coroutine_threadsafe(self._abandon(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSING_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    # -- on the loop's thread

    def _when_ready(self, operation: Operation) -> None:
        if self.usable:
            operation.finish()
            return
        self._ready.append(operation)
        lost = self._client is None or self._client.is_closed
        if lost and self._connecting is None and not self.closed:
            self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        client = Client(self._inbox, self._deliver, tls="tls" in self.login)
        try:
            await client.connect(
                **OPTIONS,
                **self.login,
                error_cb=self._on_error,
                disconnected_cb=self._on_lost,
                reconnected_cb=self._on_connected,
                closed_cb=self._on_lost,
            )
            await client.open_inbox()
        except Exception as error:  # whatever it is: those who wait report it, or try again
            self._errors.append(error)
            if client.is_connected or client.is_reconnecting:
                await client.close()
            self._end_waiting()
        except asyncio.CancelledError:  # closed meanwhile
            client.wire.abort()
            raise
        else:
            self._client = client
            await self._on_connected()
        finally:
            self._connecting = None

    async def _on_connected(self) -> None:
        client = self._client
        if client is None:
            return
        self._errors.clear()
        self.server_version = client.server_version
        self.max_payload = client.max_payload
        client.wire.open_to_threads()
        self._end_waiting()

    def _end_waiting(self) -> None:
        ready, self._ready = self._ready, []
        for operation in ready:
            operation.finish()

    async def _on_error(self, error: Exception) -> None:
        self._errors.append(error)
        logger.info("NATS connection: %r", error)
        if self.refused:
            self._end_waiting()

    async def _listen_once(self, subject: str, heard: Callable[[], None]) -> bool:
        client = self._client
        if client is None or not client.is_connected:
            return False

        async def on_message(message: Any) -> None:
            heard()

        subscription = await client.subscribe(subject, cb=on_message)
        await subscription.unsubscribe(limit=1)
        await client.flush()
        return True

    async def _close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._client is not None:
            await self._client.drain() if self._client.is_connected else await self._client.close()

    async def _abandon(self) -> None:
        """End what is under way: the server does not answer."""
        if self._client is not None:
            self._client.wire.abort()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)


def _is_refusal(error: Exception) -> bool:
    said = str(error).lower()
    return any(words in said for words in REFUSALS)


_connections: dict[str, Connection] = {}
_lock = threading.Lock()
# Of the parent, in a forked child: kept, because cleaning them up would touch what is the parent's.
_inherited: list[Connection] = []


def get_connection(options: JetStreamConfig) -> Connection:
    """Return this process's connection for ``options``."""
    key = options.connection_key
    connection = _connections.get(key)
    if connection is None:
        with _lock:
            connection = _connections.get(key)
            if connection is None:
                connection = _connections[key] = Connection(options.login())
    return connection


def close_connections() -> None:
    """Close the connections of this process; a store that is used again opens a new one."""
    with _lock:
        connections = list(_connections.values())
        _connections.clear()
    for connection in connections:
        connection.close()


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it when this process was forked
    _lock = threading.Lock()
    _inherited.extend(_connections.values())
    _connections.clear()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(close_connections)
