"""Request middleware: events say who caused them, and what they belong together with."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

from .events.metadata import event_metadata
from .events.tracing import trace_metadata

_ID = re.compile(r"[!-~]{1,128}")
# Only versions after 00 may say more, which we do not know of.
_TRACEPARENT = re.compile(
    r"(?!ff|00-.{52}-)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?"
)


class EventMetadataMiddleware:
    """Give each event saved during a request the request's metadata.

    ``user_id``: the primary key of ``request.user``, where somebody is logged in (put this
    middleware behind ``AuthenticationMiddleware``; the user is looked up when an event is
    saved, and only then). ``correlation_id``: the header ``X-Correlation-ID`` or
    ``X-Request-ID``, otherwise a new UUID. ``trace_id`` and ``span_id``: of the header
    ``traceparent`` (W3C Trace Context), unless there is an OpenTelemetry span to take them
    from. A header that is malformed is passed over.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.asynchronous = iscoroutinefunction(get_response)
        if self.asynchronous:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.asynchronous:
            return self.__acall__(request)
        with event_metadata(**_metadata(request)):
            response: HttpResponseBase = self.get_response(request)
            return response

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        with event_metadata(**_metadata(request)):
            response: HttpResponseBase = await self.get_response(request)
            return response


def _metadata(request: HttpRequest) -> dict[str, Any]:
    def user_id() -> str | None:
        user = getattr(request, "user", None)
        return str(user.pk) if user is not None and user.is_authenticated else None

    headers = request.headers
    given = (headers.get(name, "") for name in ("X-Correlation-ID", "X-Request-ID"))
    correlation_id = next(filter(_ID.fullmatch, given), None) or str(uuid4())
    keys: dict[str, Any] = {"user_id": user_id, "correlation_id": correlation_id}
    if trace_metadata():
        return keys  # events get the current OpenTelemetry span, which is nearer than the header
    trace = _TRACEPARENT.fullmatch(headers.get("traceparent", "").strip())
    if trace and int(trace[1], 16) and int(trace[2], 16):
        keys["trace_id"], keys["span_id"] = trace[1], trace[2]
    return keys
