"""Reading no more than the subjects and headers of messages: for listing and counting.

A consumer gives them out five times as fast as the server lists subjects, and without payloads.
It lives in the server's memory, as long as the reading lasts.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import AsyncIterator, Callable
from typing import Final, NamedTuple

from nats.nuid import NUID

from ....exceptions import EventStoreError, StoreUnavailableError
from ..client.acknowledgement import read_place
from ..client.call import ATTEMPT_SECONDS, ApiError, Call, StreamGone
from ..client.traffic import Exchange, Reply
from ..streams.opening import Stream
from .history import PAGE_BYTES

logger = logging.getLogger("django_eventstore")

PAGE: Final = 5000
"""How many messages to ask for at a time."""

IDLE_SECONDS: Final = 10
"""After how long the server removes a consumer that nobody asks any more."""

FAILED: Final = 500
"""What a server answers that could not do what it was asked: it was being stopped, say."""

_SECOND: Final = 1_000_000_000  # nanoseconds: as the server counts


class HeaderPage(NamedTuple):
    """Messages without their payloads.

    Attributes:
        messages: in the stream's order.
        sequence: up to which all messages were given.
        left: how many more there are.
    """

    messages: list[Reply]
    sequence: int
    left: int


async def read_headers(
    call: Callable[[], Call], stream: Stream, pattern: str, start: int, until: float = math.inf
) -> AsyncIterator[HeaderPage]:
    """Yield the messages on a subject, page after page.

    Reads from one replica, which may be behind: that it has no more does not mean that there is
    no more. Nor does it where the connection fails, or the server makes no consumer now.

    Args:
        call: returns a new call.
        stream: the stream.
        pattern: the subject, perhaps with wildcards.
        start: the sequence to begin at.
        until: when to end, as ``time.monotonic()`` counts.

    Raises:
        StoreUnavailableError: no answer before the deadline; or the server refuses: there are
            as many consumers as there may be, say.
    """
    consumer = NUID().next().decode()
    left = await _create(call(), stream, consumer, pattern, start)
    given = 0
    ahead = _begin_next(call(), stream, consumer, left)
    while ahead is not None and time.monotonic() < until:
        messages = await _end(ahead)
        last = read_place(messages[-1].acknowledgement) if messages else None
        if last is None or last.place != given + len(messages):  # some were lost on the way
            break
        given = last.place
        # Asked for now, so that they are there when these have been worked on.
        ahead = _begin_next(call(), stream, consumer, last.left)
        yield HeaderPage(messages, last.sequence, last.left)
    if ahead is not None:
        ahead.give_up()
    await _remove(call(), stream, consumer)


async def _create(call: Call, stream: Stream, consumer: str, pattern: str, start: int) -> int:
    """Make the consumer, and return how much it has to give: none where the server fails at it."""
    config = {
        "name": consumer,
        "filter_subject": pattern,
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": start,
        "ack_policy": "none",
        "headers_only": True,
        "mem_storage": True,
        "num_replicas": 1,
        "inactive_threshold": IDLE_SECONDS * _SECOND,
    }
    verb = f"CONSUMER.CREATE.{stream.name}.{consumer}"
    try:
        answer = await call.api(verb, {"stream_name": stream.name, "config": config})
    except StreamGone:
        raise
    except ApiError as error:
        if error.code == FAILED:
            return 0
        raise StoreUnavailableError(
            f"To list or count what the stream {stream.name!r} holds takes a consumer while it "
            f"lasts, and the server makes none: {error.description} ({error.err_code})."
        ) from error
    left: int = answer["num_pending"]
    return left


def _begin_next(call: Call, stream: Stream, consumer: str, left: int) -> Exchange | None:
    """Ask for the next messages, if there are any."""
    wanted = min(PAGE, left)
    if not wanted:
        return None
    request = call.api_request(
        f"CONSUMER.MSG.NEXT.{stream.name}.{consumer}",
        {"batch": wanted, "expires": round(ATTEMPT_SECONDS * _SECOND), "max_bytes": PAGE_BYTES},
        most=wanted,
    )
    request.consumer = consumer.encode()
    return call.begin([request])


async def _end(exchange: Exchange) -> list[Reply]:
    """Return the messages that were asked for, or those of them that came."""
    exchange.deadline = time.monotonic() + ATTEMPT_SECONDS
    await exchange
    if not exchange.done:
        exchange.give_up()
    (request,) = exchange.requests
    return [reply for reply in request.replies if reply.acknowledgement]


async def _remove(call: Call, stream: Stream, consumer: str) -> None:
    """Remove the consumer; if that fails the server does it."""
    call.deadline = time.monotonic() + ATTEMPT_SECONDS  # it is not worth more
    try:
        await call.api(f"CONSUMER.DELETE.{stream.name}.{consumer}")
    except EventStoreError as error:
        logger.info("NATS: the consumer %s was not removed: %r", consumer, error)
