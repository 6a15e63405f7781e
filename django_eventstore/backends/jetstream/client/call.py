"""One call to the server: asked again until it answers, or the deadline is reached."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any, Final

import orjson
from nats.errors import NoRespondersError

from ....exceptions import EventStoreError, StoreUnavailableError
from ..config import JetStreamConfig
from .connection import Connection, get_connection
from .traffic import NO_RESPONDERS, Exchange, Reply, Request

ATTEMPT_SECONDS: Final = 1.5
"""How long to wait for one answer before asking again: an answer can be lost with its server."""

PAUSE_SECONDS: Final = 0.05
"""How long to wait, at first, when the server says that it cannot answer now."""


_REFUSED_FOR_NOW: Final = b'"error":{"code":%d,' % NO_RESPONDERS


class ApiError(EventStoreError):
    """The server's refusal: ``code`` as in HTTP, ``err_code`` NATS's own number."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.code: int = error.get("code", 0)
        self.err_code: int = error.get("err_code", 0)
        self.description: str = error.get("description", "")
        super().__init__(f"NATS: {self.description} ({self.err_code})")


class StreamGone(ApiError):
    """The stream that this process has used was removed."""


STREAM_NOT_FOUND: Final = 10059


class Call:
    """What one call of the store has to ask the server, and until when.

    Args:
        options: the store's options.
    """

    def __init__(self, options: JetStreamConfig) -> None:
        self.options = options
        self._connection = get_connection(options)
        self.deadline = time.monotonic() + options.timeout
        self._nobody_answered = False
        self._refusal: ApiError | None = None
        self.api_prefix = f"$JS.{options.domain}.API." if options.domain else "$JS.API."

    @property
    def connection(self) -> Connection:
        """This process's connection; another one after the store was closed."""
        if self._connection.closed:
            self._connection = get_connection(self.options)
        return self._connection

    @property
    def over(self) -> bool:
        """Whether the deadline is past."""
        return time.monotonic() >= self.deadline

    async def connect(self) -> None:
        """Wait until there is a connection.

        Raises:
            StoreUnavailableError: there is none before the deadline, or the login is refused.
        """
        connection = self.connection
        operation = await connection.connected(self.deadline)
        if not operation.done or connection.refused:
            raise self.unavailable()

    async def largest_message(self) -> int:
        """Return how many bytes a message may have, its headers included.

        Raises:
            StoreUnavailableError: there was never a connection, and there is none now.
        """
        if not self.connection.max_payload:
            await self.connect()
        return self.connection.max_payload

    async def pause(self, attempt: int) -> None:
        """Wait a little, longer with each attempt, and until there is a connection."""
        # Random, so that those who were sent away together do not come back together.
        seconds = min(PAUSE_SECONDS * 2**attempt, 0.5) * random.uniform(0.5, 1)  # noqa: S311
        await self.connection.pause(seconds, self.deadline)
        await self.connection.connected(self.deadline)

    async def attempt(self, requests: Sequence[Request], patience: float = 0) -> None:
        """Send ``requests`` once, and wait for the answers for some time, or for ``patience``."""
        if not self.connection.usable:
            await self.connect()
        if self.over:
            # However late this process was woken up: what it decided long ago is not sent now.
            return
        until = time.monotonic() + patience if patience else self._attempt_deadline()
        await self.connection.exchange(requests, until)

    def _attempt_deadline(self) -> float:
        return min(self.deadline, time.monotonic() + ATTEMPT_SECONDS)

    def begin(self, requests: Sequence[Request]) -> Exchange:
        """Send ``requests``; give what is returned to ask(), in this call or a later one."""
        exchange = self.connection.exchange(requests, self._attempt_deadline())
        exchange.begin()
        return exchange

    async def ask(
        self, requests: Sequence[Request], begun: Exchange | None = None, patience: float = 0
    ) -> list[list[Reply]]:
        """Send ``requests`` together, again until all are answered; return the answers of each.

        Only for requests that change nothing. ``begun`` is what begin() returned for them.
        ``patience``: the seconds to wait for an answer that takes the server long, even past the
        deadline, as long as the connection stands.

        Raises:
            StoreUnavailableError: no answer before the deadline.
        """
        asked = list(requests)
        tries = 0
        while True:
            if begun is None:
                open_ones = [request for request in asked if not request.answered]
                await self.attempt(open_ones, patience)
            else:
                begun.deadline = self._attempt_deadline()
                await begun
                begun = None
            unanswered = False
            for index, request in enumerate(asked):
                silent = request.answered and request.replies[-1].status == NO_RESPONDERS
                refusal = _refused_for_now(request.replies[-1]) if request.answered else None
                if silent or refusal or not request.answered:
                    unanswered = True
                    self._refusal = refusal or self._refusal
                    asked[index] = request.again()
                    if request.sent:
                        self._nobody_answered = silent
            if not unanswered:
                return [request.replies for request in asked]
            if self.over:
                raise self.unavailable()
            await self.pause(tries)
            tries += 1

    async def api(self, verb: str, body: Any = None, patience: float = 0) -> dict[str, Any]:
        """Ask the JetStream API, for example ``STREAM.INFO.orders``; return what it answers.

        ``patience``: see ask().

        Raises:
            ApiError: the server refuses.
            StoreUnavailableError: no answer before the deadline.
        """
        ((reply,),) = await self.ask([self.api_request(verb, body)], patience=patience)
        return read_api_reply(reply)

    def api_request(self, verb: str, body: Any = None, *, most: int = 1) -> Request:
        """Return the request to send for ``api()``."""
        payload = b"" if body is None else orjson.dumps(body)
        return Request(f"{self.api_prefix}{verb}".encode(), payload, most=most)

    def unavailable(self, *, outcome_unknown: bool = False) -> StoreUnavailableError:
        """Return the error to raise when nothing more is tried, with its cause set."""
        servers = ", ".join(self.options.safe_servers)
        why = self.connection.error or self._refusal
        if why is None and self._nobody_answered:
            why = NoRespondersError()
        if self.connection.refused:
            text = f"NATS at {servers} refuses the login ({why})."
        else:
            text = (
                f"No answer from NATS at {servers} within {self.options.timeout:g} s"
                f"{f' (last error: {why})' if why else ''}."
                f"{' Is JetStream enabled there?' if isinstance(why, NoRespondersError) else ''}"
            )
        error = StoreUnavailableError(text, outcome_unknown=outcome_unknown)
        error.__cause__ = why
        return error


def _refused_for_now(reply: Reply) -> ApiError | None:
    """Return the refusal of an API that cannot answer at this moment: it has no leader, say."""
    # Quickly, for most answers hold something: what an API answers has no headers, and says
    # that it is an error in front of anything else.
    if reply.headers or _REFUSED_FOR_NOW not in reply.data[:200]:
        return None
    return ApiError(orjson.loads(reply.data)["error"])


def read_api_reply(reply: Reply) -> dict[str, Any]:
    """Return the JSON document of an API answer.

    Raises:
        ApiError: it is a refusal.
    """
    document: dict[str, Any] = orjson.loads(reply.data)
    if error := document.get("error"):
        gone = error.get("err_code") == STREAM_NOT_FOUND
        raise StreamGone(error) if gone else ApiError(error)
    return document
