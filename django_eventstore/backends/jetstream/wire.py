"""The client of nats-py, with an inbox of our own.

nats-py does what is hard about a NATS connection: servers and their order, TLS, logging in,
reconnecting. What it does for every message (a task, a queue, a Message, parsed headers) costs
several times what the server needs, so answers to our own inbox take a shorter way: this module
replaces the parser's hot path and hands over header block and payload as bytes. It uses private
names of nats-py, and is the only module that does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nats.aio.client import Client as NatsClient
from nats.protocol.parser import AWAITING_CONTROL_LINE
from nats.protocol.parser import Parser as NatsParser

Deliver = Callable[[bytes, bytes, bytes], None]
"""Called with subject, header block and payload."""


class Client(NatsClient):
    """A connection whose messages to ``inbox`` + anything go to ``deliver``.

    Args:
        inbox: the subject's start, ending in a dot.
        deliver: called on the event loop for each message; must not block or raise.
    """

    def __init__(self, inbox: bytes, deliver: Deliver) -> None:
        super().__init__()
        self.inbox = inbox
        self.deliver = deliver
        self.inbox_sid = -1
        self._ps = Parser(self)

    async def open_inbox(self) -> None:
        """Subscribe to the inbox; to be called once, after connect()."""
        subscription = await self.subscribe(f"{self.inbox.decode()}*")
        self.inbox_sid = subscription._id
        await self.flush()

    def send(self, commands: bytes) -> None:
        """Write protocol commands to the socket at once; only while connected."""
        self._transport.write(commands)

    @property
    def server_version(self) -> tuple[int, ...]:
        """The version of the connected server, for example ``(2, 15, 1)``."""
        version = self.connected_server_version
        return version.major, version.minor, version.patch

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        if sid == self.inbox_sid:
            self.deliver(subject, headers or b"", data)
        else:
            await super()._process_msg(sid, subject, reply, data, headers)


class Parser(NatsParser):  # type: ignore[misc]
    """Takes whole runs of messages out of what was read; leaves all else to nats-py's."""

    nc: Client

    def reset(self) -> None:
        super().reset()
        self.wanted = 0

    async def parse(self, data: bytes = b"") -> None:
        if self.state != AWAITING_CONTROL_LINE:
            await super().parse(data)
            return
        self.buf += data
        if len(self.buf) < self.wanted:
            return  # still in the middle of a large message
        if not self._take_messages():
            await super().parse()

    def _take_messages(self) -> bool:
        """Deliver the complete messages that the buffer starts with; False at anything else."""
        buffer = self.buf
        size = len(buffer)
        place = 0
        self.wanted = 0
        complete = True
        sid = b"%d" % self.nc.inbox_sid
        deliver = self.nc.deliver
        with memoryview(buffer) as view:
            while place < size:
                end = buffer.find(b"\r\n", place)
                if end < 0:
                    break
                words = bytes(view[place:end]).split()
                if len(words) < 4 or words[0] not in (b"HMSG", b"MSG") or words[2] != sid:
                    complete = False
                    break
                start = end + 2
                body = start + int(words[-2]) if words[0] == b"HMSG" else start
                stop = start + int(words[-1])
                if stop + 2 > size:
                    self.wanted = stop + 2 - place
                    break
                deliver(words[1], bytes(view[start:body]), bytes(view[body:stop]))
                place = stop + 2
        del buffer[:place]
        return complete


def connect_options(**options: Any) -> dict[str, Any]:
    """Return ``options`` for ``Client.connect()`` with what every connection of ours needs."""
    return {
        "name": "django-eventstore",
        # Nothing is kept for later while disconnected: a publish that was reported as failed
        # must not be stored after the reconnect.
        "pending_size": 0,
        # For ever: a process outlives its server's restarts. Each call has a deadline.
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.2,
        "ping_interval": 5,
        "max_outstanding_pings": 2,
        **options,
    }
