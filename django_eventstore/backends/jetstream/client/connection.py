"""One NATS connection per process and login, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import count
from typing import Any, Final, NamedTuple

from nats.errors import Error as NatsError
from nats.nuid import NUID

from .acknowledgement import read_consumer
from .operation import Operation, call_threadsafe, resolve
from .wire import Client, connect_options

logger = logging.getLogger("django_eventstore")


_STORED: Final = b"\r\nNats-Sequence: "
"""In the headers of a stored message that answers a direct get: the server adds it."""


def is_status(headers: bytes) -> bool:
    """Tell whether ``headers`` are those of a status, which stands in place of a message."""
    # A stored message may begin in the same way: a stranger may have written it.
    return headers.startswith(b"NATS/1.0 ") and _STORED not in headers


class Reply(NamedTuple):
    """An answer.

    Attributes:
        headers: its header block; empty if it has none.
        data: its payload.
        subject: the subject of a message that a consumer gave out.
        acknowledgement: where to acknowledge that message; says where it stands.
    """

    headers: bytes
    data: bytes
    subject: bytes = b""
    acknowledgement: bytes = b""

    @property
    def status(self) -> int:
        """The status that stands in place of a message, for example 404; 0 for a message."""
        return int(self.headers[9:12]) if is_status(self.headers) else 0


NO_RESPONDERS: Final = 503

REFUSALS: Final = ("authorization violation", "authentication expired", "authentication revoked")
"""What a server says to those who may not log in."""

CROWD: Final = 3
"""From how many open requests on threads have the connection's thread send."""

SWEEP_SECONDS: Final = 0.1
"""How late an answer may be given up, at the most."""


MANY: Final = sys.maxsize
"""So many answers, or fewer and a status."""


class Request:
    """A message to publish that gets ``most`` answers, or fewer and a status.

    Attributes:
        replies: the answers so far.
        sent: whether the message left this process.
        answered: whether all answers came.
        before: commands to send in front of it.
        consumer: the consumer whose messages answer it; empty: what its own inbox gets.
    """

    __slots__ = (
        "answered",
        "before",
        "consumer",
        "exchange",
        "headers",
        "inbox",
        "most",
        "payload",
        "replies",
        "sent",
        "subject",
    )

    def __init__(
        self, subject: bytes, payload: bytes = b"", headers: bytes = b"", *, most: int = 1
    ) -> None:
        self.subject = subject
        self.payload = payload
        self.headers = headers
        self.most = most
        self.replies: list[Reply] = []
        self.sent = False
        self.answered = False
        self.before = b""
        self.consumer = b""
        self.inbox = b""
        self.exchange: Exchange | None = None

    def end(self) -> None:
        """Nothing more will come in answer. From any thread."""
        if self.exchange is not None:
            self.exchange.end_one()

    def again(self) -> Request:
        """Return the same request, to be sent once more."""
        return Request(self.subject, self.payload, self.headers, most=self.most)

    def command(self) -> bytes:
        """Return the protocol command that publishes it."""
        size = len(self.payload)
        if not self.headers:
            return b"PUB %s %s %d\r\n%s\r\n" % (self.subject, self.inbox, size, self.payload)
        return b"%sHPUB %s %s %d %d\r\n%s%s\r\n" % (
            self.before,
            self.subject,
            self.inbox,
            len(self.headers),
            len(self.headers) + size,
            self.headers,
            self.payload,
        )


class Exchange(Operation):
    """Requests that were sent together; done when all are answered, or the connection is lost."""

    __slots__ = ("connection", "open", "requests")

    def __init__(
        self, connection: Connection, requests: Sequence[Request], deadline: float
    ) -> None:
        super().__init__(deadline)
        self.connection = connection
        self.requests = requests
        self.open = len(requests)
        for request in requests:
            request.exchange = self

    def end_one(self) -> None:
        """One of the requests has ended. From any thread."""
        with self._lock:
            self.open -= 1
            left = self.open
        if left == 0:
            self.finish()

    def begin(self) -> None:
        self.connection.kick()

    def begin_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        self.connection.kick_soon(loop)

    def start_timer(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
        """Have no timer: the connection looks for exchanges that are late."""

    def wake_later(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
        self.connection.wake_later(loop, future)

    def give_up(self) -> None:
        self.connection.forget(self.requests)


class Connection:
    """A connection that many threads and tasks share. Its loop's thread does nothing but wire work.

    Args:
        login: options of ``Client.connect()``.
    """

    def __init__(self, login: dict[str, Any]) -> None:
        self.login = login
        self._servers = len(login["servers"])
        # Of two rounds: an attempt may fail without telling why the ones before it were refused.
        self._errors: deque[Exception] = deque(maxlen=2 * self._servers)
        self.server_version: tuple[int, ...] = (0,)
        self.max_payload = 0
        self._client: Client | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._ready: list[Operation] = []
        self._inbox = b"_INBOX.%s." % bytes(NUID().next())
        self._count = count(1)
        self._waiting: dict[bytes, Request] = {}
        self._consumers: dict[bytes, Request] = {}  # those of them that a consumer answers
        self._outbox: deque[Request] = deque()
        self._scheduled = False
        self._sweeping = False
        self._wakes: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        self.closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="django-eventstore-nats", daemon=True
        )
        self._thread.start()

    # -- from any thread

    @property
    def usable(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._client is not None and self._client.is_connected

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

    def send(self, requests: Sequence[Request], deadline: float) -> Exchange:
        """Return the exchange of ``requests``: sent in this order, once it is waited for."""
        exchange = Exchange(self, requests, deadline)
        self._outbox.extend(requests)
        return exchange

    def kick(self) -> None:
        """Send what is waiting to be sent: now, or, where many are at it, with what they send."""
        if len(self._waiting) >= CROWD:
            # To be sent by each thread itself costs all of them a turn of the interpreter's lock.
            if self._outbox and not self._scheduled:
                self._scheduled = True
                call_threadsafe(self._loop, self._flush)
            return
        commands = self._commands()
        if commands and self._client is not None:
            self._client.wire.write_from_thread(commands, self._loop)

    def kick_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send what is waiting to be sent, once the tasks of ``loop`` have had their turn."""
        # Waking the other thread for each of many tasks costs more than what it then does.
        if self._outbox and not self._scheduled:
            self._scheduled = True
            loop.call_soon(call_threadsafe, self._loop, self._flush)

    def forget(self, requests: Sequence[Request]) -> None:
        """Drop what else may come in answer."""
        for request in requests:
            self._waiting.pop(request.inbox, None)
            self._consumers.pop(request.consumer, None)

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

    def close(self, timeout: float = 2.0) -> None:
        """Send what is to be sent, and close; waits ``timeout`` seconds at most."""
        if self.closed:
            return
        self.closed = True
        closing = asyncio.run_coroutine_threadsafe(self._close(), self._loop)
        try:
            closing.result(timeout)
        except (TimeoutError, NatsError, OSError) as error:
            logger.warning("The NATS connection did not close in order: %r", error)
            asyncio.run_coroutine_threadsafe(self._abandon(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout)
        if not self._thread.is_alive():
            self._loop.close()

    # -- on the loop's thread

    def wake_later(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
        """Resolve ``future``, together with what else comes in now for ``loop``."""
        if not self._wakes:
            self._loop.call_soon(self._wake)
        self._wakes.setdefault(loop, []).append(future)

    def _wake(self) -> None:
        wakes, self._wakes = self._wakes, {}
        for loop, futures in wakes.items():
            call_threadsafe(loop, resolve, *futures)

    def _flush(self) -> None:
        self._scheduled = False
        commands = self._commands()
        if commands and self._client is not None:
            self._client.wire.write(commands)
            if not self._sweeping:
                self._sweeping = True
                self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """End the exchanges that are late. One timer is cheaper than one for each of them."""
        now = time.monotonic()
        for request in list(self._waiting.values()):
            exchange = request.exchange
            if exchange is not None and exchange.deadline <= now:
                self.forget(exchange.requests)
                exchange.finish()
        self._sweeping = bool(self._waiting)
        if self._sweeping:
            self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _commands(self) -> bytes:
        """Take what is in the outbox, and return it as the protocol has it."""
        usable = self.usable
        commands = []
        while self._outbox:
            try:
                request = self._outbox.popleft()
            except IndexError:  # another thread was faster
                break
            if not usable:
                request.end()
                continue
            request.inbox = b"%s%d" % (self._inbox, next(self._count))
            request.sent = True
            self._waiting[request.inbox] = request
            if request.consumer:
                self._consumers[request.consumer] = request
            commands.append(request.command())
        return b"".join(commands)

    def _deliver(self, answers: bytes, subject: bytes, headers: bytes, data: bytes) -> None:
        request = self._waiting.get(answers)
        if request is not None:
            request.replies.append(Reply(headers, data))
            ended = is_status(headers)
        else:
            request = self._consumers.get(read_consumer(answers))
            if request is None:
                return
            request.replies.append(Reply(headers, data, subject, answers))
            ended = False  # whatever its headers say: a stranger may have written them
        if ended or len(request.replies) == request.most:
            self.forget((request,))
            request.answered = True
            request.end()

    def _when_ready(self, operation: Operation) -> None:
        if self._client is not None and self._client.is_connected:
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
                **connect_options(
                    **self.login,
                    error_cb=self._on_error,
                    disconnected_cb=self._on_lost,
                    reconnected_cb=self._on_connected,
                    closed_cb=self._on_lost,
                )
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

    async def _on_lost(self) -> None:
        waiting, self._waiting, self._consumers = list(self._waiting.values()), {}, {}
        for request in waiting:
            request.end()

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


def get_connection(key: str, login: Callable[[], dict[str, Any]]) -> Connection:
    """Return this process's connection for ``key``; ``login()`` returns its options."""
    connection = _connections.get(key)
    if connection is None:
        with _lock:
            connection = _connections.get(key)
            if connection is None:
                connection = _connections[key] = Connection(login())
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
