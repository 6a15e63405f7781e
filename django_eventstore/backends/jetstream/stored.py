"""A message of the stream as it is stored: where it stands, and what it says of itself."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any, Final, NamedTuple
from zlib import crc32

from .client.traffic import Reply
from .names import decode_actor, decode_number

_SUBJECT: Final = b"\r\nNats-Subject: "
_MARK: Final = b"\r\nEventstore-Append: "
_LEFT: Final = re.compile(rb"\r\nNats-Num-Pending: (\d{1,18})\r\n")


class Mark(NamedTuple):
    """What our own messages say of themselves in the header ``Eventstore-Append``.

    Attributes:
        version: the version of the last event in the message.
        events: how many events it holds.
        total: how many events the actor has been given, these included.
    """

    version: int
    events: int
    total: int

    def header(self, place: str) -> bytes:
        """Return the header line, for a message on a subject that ends in ``place``."""
        # With a checksum of the place: a copy that stands elsewhere is none of ours.
        return b"Eventstore-Append: %d %d %d %d" % (*self, crc32(place.encode()))


class Stored:
    """A message of the stream.

    Attributes:
        subject: its subject.
        sequence: its sequence in the stream.
        headers: its header block; empty if it has none.
        data: its payload.
        time: when the server stored it, in ISO 8601 to the nanosecond.
        number: the number of the append that the subject names, or None.
        mark: what it says of itself if it is one of our own; None: it is a stranger's.
    """

    __slots__ = ("_token", "data", "headers", "mark", "number", "sequence", "subject", "time")

    def __init__(
        self, subject: bytes, sequence: int, time: bytes, headers: bytes, data: bytes
    ) -> None:
        self.subject = subject
        self.sequence = sequence
        self.headers = headers
        self.data = data
        self.time = time
        self._token = b""
        self.number: int | None = None
        self.mark: Mark | None = None
        tokens = subject.rsplit(b".", 2)
        if len(tokens) < 3:
            return
        stem, self._token, number = tokens
        self.number = decode_number(number)
        start = headers.find(_MARK)
        if start >= 0:
            start += len(_MARK)
            line = headers[start : headers.find(b"\r", start)]
            self.mark = _read_mark(line, subject[len(stem) + 1 :])

    @property
    def actor_id(self) -> str | None:
        """The actor that the subject names, or None."""
        return decode_actor(self._token)


def _read_mark(line: bytes, place: bytes) -> Mark | None:
    try:
        version, events, total, check = line.split(b" ")
        return Mark(int(version), int(events), int(total)) if int(check) == crc32(place) else None
    except ValueError:
        return None


def from_direct(reply: Reply) -> Stored:
    """Return the message in the answer to a direct get."""
    headers = reply.headers
    # The server's own headers come last: a stranger may have set some of the same name.
    start = headers.rindex(_SUBJECT) + len(_SUBJECT)
    subject, sequence, time, _ = headers[start:].split(b"\r\n", 3)
    # "Nats-Subject: ", "Nats-Sequence: " and "Nats-Time-Stamp: ", in this order since 2.9.
    return Stored(subject, int(sequence[15:]), time[17:], headers, reply.data)


def read_left(reply: Reply) -> int | None:
    """Return how many more match after this one of many; None where the server does not tell."""
    left = _LEFT.search(reply.headers)
    return None if left is None else int(left[1])


def from_message(message: dict[str, Any]) -> Stored:
    """Return the message in the answer to ``STREAM.MSG.GET``."""
    return Stored(
        message["subject"].encode(),
        message["seq"],
        message["time"].encode(),
        b64decode(message.get("hdrs", "")),
        b64decode(message.get("data", "")),
    )
