"""What the subject says that a message of a consumer is to be acknowledged on.

``$JS.ACK[.<domain>.<account>].<stream>.<consumer>.<deliveries>.<sequence>.<place>.<time>.<left>``,
and perhaps one token more.
"""

from __future__ import annotations

from typing import Final, NamedTuple

START: Final = b"$JS.ACK."

_TOKENS: Final = 9  # without a domain; with one there are two or three more


class Place(NamedTuple):
    """Where a message stands.

    Attributes:
        sequence: in the stream.
        place: among what the consumer gave out, from 1.
        left: how many messages the consumer has after it.
    """

    sequence: int
    place: int
    left: int


def read_consumer(subject: bytes) -> bytes:
    """Return the name of the consumer; empty if ``subject`` is none that a server made."""
    tokens = subject.split(b".")
    if len(tokens) < _TOKENS:  # whoever publishes may have answers sent to what looks like one
        return b""
    return tokens[3] if len(tokens) == _TOKENS else tokens[5]


def read_place(subject: bytes) -> Place:
    """Return where the message stands."""
    tokens = subject.split(b".")
    sequence, place, _time, left = tokens[5:9] if len(tokens) == _TOKENS else tokens[7:11]
    return Place(int(sequence), int(place), int(left))
