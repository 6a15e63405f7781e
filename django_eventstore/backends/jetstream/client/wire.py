"""The wire under nats-py's client, with an inbox of our own.

nats-py does what is hard about a NATS connection: servers and their order, TLS, logging in,
reconnecting. What it does for every message (a task, a queue, a Message, parsed headers) costs
several times what the server needs. So this transport, which nats-py reads from and writes to,
takes the messages to our inbox out of what arrives, and hands them over as bytes; and it lets
any thread write. Nobody else uses private names of nats-py.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import ParseResult

from nats.aio.client import Client as NatsClient
from nats.aio.transport import Transport
from nats.errors import Error as NatsError

from . import acknowledgement
from .operation import call_threadsafe

Deliver = Callable[[bytes, bytes, bytes, bytes], None]
"""Called with what the message answers, its subject, header block (empty if there is none) and
payload. It answers the inbox that it was sent to; what a consumer gives out keeps the subject it
was stored under, and answers the consumer, which its acknowledgement names."""


class Client(NatsClient):
    """A connection whose messages to ``inbox`` + anything, and of consumers, go to ``deliver``.

    Args:
        inbox: the subject's start, ending in a dot.
        deliver: called on the event loop for each message; must not block or raise.
        tls: whether to talk to no server without TLS.
    """

    def __init__(self, inbox: bytes, deliver: Deliver, *, tls: bool) -> None:
        super().__init__()
        self.inbox = inbox
        self.wire = Wire(inbox, deliver, tls=tls)
        self._transport = self.wire

    async def open_inbox(self) -> None:
        """Subscribe to the inbox; to be called once, after connect()."""
        await self.subscribe(f"{self.inbox.decode()}*")
        await self.flush()

    @property
    def server_version(self) -> tuple[int, ...]:
        """The version of the connected server, for example ``(2, 15, 1)``."""
        version = self.connected_server_version
        return version.major, version.minor, version.patch


class Wire(Transport):
    """A TCP connection, with or without TLS; connected anew after it was lost.

    Args:
        inbox: the start of the subjects whose messages are taken out.
        deliver: gets those messages.
        tls: whether to write nothing without TLS, as for an address that begins with ``tls:``.
    """

    def __init__(self, inbox: bytes, deliver: Deliver, *, tls: bool = False) -> None:
        self._always_tls = self._needs_tls = tls
        self._inbox = inbox
        self._deliver = deliver
        self._reader, self._receiver = self._receive(limit=2**16)
        self._writer: asyncio.StreamWriter | None = None
        self._plain: asyncio.StreamWriter | None = None
        self._lock = threading.Lock()
        # The socket again, for threads to write to. Of our own: the descriptor of the transport's
        # may be closed, and be another file's, at any moment.
        self._socket: socket.socket | None = None
        self._rest = b""  # what a thread could not write any more, to be written first

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        # After an attempt that failed in the middle nobody else closes it.
        self.close()
        loop = asyncio.get_running_loop()
        reader, protocol = self._receive(buffer_size)
        transport, _ = await asyncio.wait_for(
            loop.create_connection(lambda: protocol, uri.hostname or "", uri.port or 4222),
            connect_timeout,
        )
        self._rest = b""
        self._needs_tls = self._always_tls or uri.scheme == "tls"
        self._reader, self._receiver = reader, protocol
        self._writer = self._plain = asyncio.StreamWriter(transport, protocol, reader, loop)

    async def connect_tls(
        self,
        uri: ParseResult | str,
        ssl_context: ssl.SSLContext,
        buffer_size: int,
        connect_timeout: int,
    ) -> None:
        plain = self._writer
        if plain is None:
            raise ConnectionError("There is no connection to put TLS on.")
        loop = asyncio.get_running_loop()
        reader, protocol = self._receive(buffer_size)
        hostname = uri if isinstance(uri, str) else uri.hostname
        transport = await asyncio.wait_for(
            loop.start_tls(plain.transport, protocol, ssl_context, server_hostname=hostname),
            connect_timeout,
        )
        if transport is None:
            raise ConnectionError("The connection was lost while TLS was put on it.")
        self._reader, self._receiver = reader, protocol
        # The plain writer is kept: to drop it closes the socket.
        self._writer = asyncio.StreamWriter(transport, protocol, reader, loop)

    def _receive(self, limit: int) -> tuple[asyncio.StreamReader, Receiver]:
        reader = asyncio.StreamReader(limit=limit)
        return reader, Receiver(reader, self._inbox, self._deliver)

    # -- writing

    def open_to_threads(self) -> None:
        """Let threads write by themselves; not through TLS. To be called once connected."""
        writer = self._writer
        with self._lock:
            if writer is not None and writer.get_extra_info("ssl_object") is None:
                self._socket = writer.get_extra_info("socket").dup()

    def write_from_thread(self, data: bytes, loop: asyncio.AbstractEventLoop) -> None:
        """Write ``data`` at once if that can be done here, else on ``loop``, which is ours."""
        with self._lock:
            written = self._write_now(data)
            if 0 < written < len(data):
                self._rest = data[written:]
        if written < len(data):
            call_threadsafe(loop, self.write, b"" if written else data)

    def _write_now(self, data: bytes) -> int:
        if self._socket is None or self._rest or self._writer is None:
            return 0
        try:
            if self._writer.transport.get_write_buffer_size():
                return 0
            return self._socket.send(data)
        except (OSError, RuntimeError):
            # Full, or broken, or (RuntimeError) its buffer is being sent at this moment.
            return 0

    def write(self, payload: bytes) -> None:
        if self._needs_tls and self._writer is not None and self._writer is self._plain:
            # nats-py goes by what the server says: anybody between could have it log in in clear.
            raise NatsError("nats: the server offers no TLS, which the options ask for")
        with self._lock:
            rest, self._rest = self._rest, b""
            if self._writer is not None and (rest or payload):
                self._writer.write(rest + payload)

    def writelines(self, payload: Sequence[bytes]) -> None:
        self.write(b"".join(payload))

    async def drain(self) -> None:
        # A lost connection is told by reading, after what the server said before it closed.
        if self._writer is not None:
            with suppress(ConnectionError):
                await self._writer.drain()

    # -- reading

    async def read(self, buffer_size: int) -> bytes:
        return await self._reader.read(buffer_size)

    async def readline(self) -> bytes:
        """Return a line of the server's while logging in.

        Raises:
            NatsError: it says why it refuses.
            ConnectionError: the connection was lost.
        """
        line = await self._reader.readline()
        if not line:
            raise self._receiver.error or ConnectionResetError("The server closed the connection.")
        if line.startswith(b"-ERR"):
            raise NatsError(f"nats: {line[5:].strip().decode(errors='replace')}")
        return line

    def at_eof(self) -> bool:
        return self._reader.at_eof()

    # -- closing

    def close(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
        if self._writer is not None:
            self._writer.close()

    def abort(self) -> None:
        """Close at once: what has not been written is not."""
        self.close()
        if self._plain is not None:
            self._plain.transport.abort()

    async def wait_closed(self) -> None:
        if self._writer is not None:
            await self._writer.wait_closed()

    def __bool__(self) -> bool:
        return True  # there is no need to make another


class Receiver(asyncio.StreamReaderProtocol):
    """Delivers the messages to an inbox or of a consumer, and feeds all else to a StreamReader.

    Attributes:
        error: what the connection was lost by; the reader only comes to its end.
    """

    def __init__(self, reader: asyncio.StreamReader, inbox: bytes, deliver: Deliver) -> None:
        super().__init__(reader)
        self._marks = b"HMSG " + inbox, b"MSG " + inbox
        self._deliver = deliver
        self._buffer = bytearray()  # the start of what is not complete
        self._wanted = 0  # how long that has to become
        self._plain: asyncio.BaseTransport | None = None  # not with TLS
        self.error: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._plain = transport
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        # A server that closes says why, and then resets what is still being written to it. For
        # asyncio a write that fails is the end, so what was said may not even have been read.
        if exc is not None and self._plain is not None:
            self.data_received(_read_rest(self._plain))
        self.error = exc
        super().connection_lost(None)

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._wanted:
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        self._wanted = 0
        place = self._take(data)
        if place < len(data):
            self._buffer += data[place:]

    def _take(self, data: bytes) -> int:
        """Deliver or feed what is complete in ``data``; return how much that was."""
        size, place = len(data), 0
        find, marks, deliver = data.find, self._marks, self._deliver
        while place < size:
            end = find(b"\r\n", place)
            if end < 0:
                break
            start = end + 2
            words = data[place:end].split()
            operation = words[0] if words else b""
            if operation == b"HMSG":
                body, stop = start + int(words[-2]), start + int(words[-1])
            elif operation == b"MSG":
                body, stop = start, start + int(words[-1])
            else:
                super().data_received(data[place:start])
                place = start
                continue
            if stop + 2 > size:
                self._wanted = stop + 2 - place
                break
            if data.startswith(marks, place):
                deliver(words[1], words[1], data[start:body], data[body:stop])
            elif words[3].startswith(acknowledgement.START):
                deliver(words[3], words[1], data[start:body], data[body:stop])
            else:
                super().data_received(data[place : stop + 2])
            place = stop + 2
        return place


def _read_rest(transport: asyncio.BaseTransport) -> bytes:
    """Return what has arrived on a connection that is lost, and was not read."""
    parts = []
    with suppress(OSError), transport.get_extra_info("socket").dup() as rest:
        while part := rest.recv(2**16):
            parts.append(part)
    return b"".join(parts)
