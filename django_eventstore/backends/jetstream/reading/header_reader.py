"""Reading no more than the subjects and headers of messages: for listing and counting.

A consumer gives them out five times as fast as the server lists subjects, and without payloads.
It lives in the server's memory, as long as the reading lasts.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from nats.nuid import NUID

from ....exceptions import EventStoreError, StoreUnavailableError
from ..client.acknowledgement import read_place
from ..client.call import ATTEMPT_SECONDS, ApiError, Call, StreamGone
from ..client.connection import Exchange, Reply
from ..streams.stream import Stream
from .history import PAGE_BYTES

logger = logging.getLogger("django_eventstore")

PAGE: Final = 5000
"""How many messages to ask for at a time."""

IDLE_SECONDS: Final = 10
"""After how long the server removes a consumer that nobody asks any more."""

FAILED: Final = 500
"""What a server answers that could not do what it was asked: it was being stopped, say."""

_SECOND: Final = 1_000_000_000  # nanoseconds: as the server counts


class HeaderReader:
    """Gives the messages on a subject, page after page, without their payloads.

    Reads from one replica, which may be behind: that it has no more does not mean that there is
    no more. The same for what it skips when the connection fails: ``done`` is true then, and
    ``sequence`` tells where to begin anew.

    Args:
        stream: the stream.
        pattern: the subject, perhaps with wildcards.
        start: the sequence to begin at.

    Attributes:
        sequence: up to which all messages on the subject were given.
        left: how many more there are.
        done: whether to expect no more from this reader.
    """

    def __init__(self, stream: Stream, pattern: str, start: int) -> None:
        self.sequence = start - 1
        self.left = 0
        self.done = False
        self._stream = stream
        self._pattern = pattern
        self._start = start
        self._name = NUID().next().decode()
        self._given = 0  # how many messages
        self._ahead: Exchange | None = None

    async def open(self, call: Call) -> None:
        """Make the consumer; where the server fails at that there is nothing to read: ``done``.

        Raises:
            StoreUnavailableError: no answer before the deadline; or the server refuses: there are
                as many consumers as there may be, say.
        """
        try:
            answer = await self._create(call)
        except StreamGone:
            raise
        except ApiError as error:
            if error.code == FAILED:
                self.done = True
                return
            raise StoreUnavailableError(
                f"To list or count what the stream {self._stream.name!r} holds takes a consumer "
                f"while it lasts, and the server makes none: {error.description} "
                f"({error.err_code})."
            ) from error
        self.left = answer["num_pending"]
        self._begin_next(call)

    async def _create(self, call: Call) -> dict[str, Any]:
        return await call.api(
            f"CONSUMER.CREATE.{self._stream.name}.{self._name}",
            {
                "stream_name": self._stream.name,
                "config": {
                    "name": self._name,
                    "filter_subject": self._pattern,
                    "deliver_policy": "by_start_sequence",
                    "opt_start_seq": self._start,
                    "ack_policy": "none",
                    "headers_only": True,
                    "mem_storage": True,
                    "num_replicas": 1,
                    "inactive_threshold": IDLE_SECONDS * _SECOND,
                },
            },
        )

    async def page(self, call: Call) -> list[Reply]:
        """Return the next messages, in the stream's order: subjects and headers."""
        exchange, self._ahead = self._ahead, None
        if exchange is None:
            return []
        exchange.deadline = time.monotonic() + ATTEMPT_SECONDS
        await exchange
        (request,) = exchange.requests
        if not exchange.done:
            exchange.give_up()
        messages = [reply for reply in request.replies if reply.acknowledgement]
        if not self._follow_on(messages):
            self.done = True
            return []
        self._begin_next(call)
        return messages

    def _follow_on(self, messages: list[Reply]) -> bool:
        """Tell whether ``messages`` are the next ones, and note how far they go."""
        if not messages:
            return False
        last = read_place(messages[-1].acknowledgement)
        if last.place != self._given + len(messages):  # some were lost on the way
            return False
        self.sequence, self._given, self.left = last.sequence, last.place, last.left
        return True

    def _begin_next(self, call: Call) -> None:
        """Ask for the next messages now, so that they are there when these have been worked on."""
        wanted = min(PAGE, self.left)
        self.done = not wanted
        if wanted:
            request = call.api_request(
                f"CONSUMER.MSG.NEXT.{self._stream.name}.{self._name}",
                {
                    "batch": wanted,
                    "expires": round(ATTEMPT_SECONDS * _SECOND),
                    "max_bytes": PAGE_BYTES,
                },
                most=wanted,
            )
            request.consumer = self._name.encode()
            self._ahead = call.begin([request])

    async def close(self, call: Call) -> None:
        """Remove the consumer; if that fails the server does it."""
        if self._ahead is not None:
            self._ahead.give_up()
        call.deadline = time.monotonic() + ATTEMPT_SECONDS  # it is not worth more
        try:
            await call.api(f"CONSUMER.DELETE.{self._stream.name}.{self._name}")
        except EventStoreError as error:
            logger.info("NATS: the consumer %s was not removed: %r", self._name, error)
