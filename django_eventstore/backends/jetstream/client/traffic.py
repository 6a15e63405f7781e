"""What goes over a connection: requests, and the answers to them."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from itertools import count
from typing import Final, NamedTuple

from nats.nuid import NUID

from .acknowledgement import read_consumer
from .operation import Operation, call_threadsafe, resolve
from .wire import Client

NO_RESPONDERS: Final = 503

CROWD: Final = 3
"""From how many open requests on threads have the connection's thread send."""

SWEEP_SECONDS: Final = 0.1
"""How late an answer may be given up, at the most."""

MANY: Final = sys.maxsize
"""So many answers, or fewer and a status."""

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


@dataclass(slots=True, eq=False, repr=False)
class Request:
    """A message to publish that gets ``most`` answers, or fewer and a status.

    Attributes:
        before: commands to send in front of it.
        consumer: the consumer whose messages answer it; empty: what its own inbox gets.
        inbox: where the answers are sent, once it was sent itself.
        replies: the answers so far.
        sent: whether the message left this process.
        answered: whether all answers came.
        exchange: what it is sent with.
    """

    subject: bytes
    payload: bytes = b""
    headers: bytes = b""
    _: KW_ONLY
    most: int = 1
    before: bytes = b""
    consumer: bytes = b""
    inbox: bytes = b""
    replies: list[Reply] = field(default_factory=list)
    sent: bool = False
    answered: bool = False
    exchange: Exchange | None = None

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

    __slots__ = ("open", "requests", "traffic")

    def __init__(self, traffic: Traffic, requests: Sequence[Request], deadline: float) -> None:
        super().__init__(deadline)
        self.traffic = traffic
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
        self.traffic.kick()

    def begin_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        self.traffic.kick_soon(loop)

    def start_timer(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
        """Have no timer: the connection looks for exchanges that are late."""

    def wake_later(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
        self.traffic.wake_later(loop, future)

    def give_up(self) -> None:
        self.traffic.forget(self.requests)


class Traffic:
    """Exchanges that many threads and tasks have at a time over one connection.

    Args:
        loop: the connection's event loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._client: Client | None = None
        self._inbox = b"_INBOX.%s." % bytes(NUID().next())
        self._count = count(1)
        self._waiting: dict[bytes, Request] = {}
        self._consumers: dict[bytes, Request] = {}  # those of them that a consumer answers
        self._outbox: deque[Request] = deque()
        self._scheduled = False
        self._sweeping = False
        self._wakes: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}

    # -- from any thread

    @property
    def usable(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._client is not None and self._client.is_connected

    def exchange(self, requests: Sequence[Request], deadline: float) -> Exchange:
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

    async def _on_lost(self) -> None:
        waiting, self._waiting, self._consumers = list(self._waiting.values()), {}, {}
        for request in waiting:
            request.end()
