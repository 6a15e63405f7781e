"""The standard metadata keys, and metadata that surrounds a block of code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from functools import wraps
from inspect import isasyncgenfunction, isgeneratorfunction
from types import MappingProxyType
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, sync_to_async

from .tracing import trace_metadata
from .validation import check_metadata

CORRELATION_ID: Final = "correlation_id"
CAUSATION_ID: Final = "causation_id"
USER_ID: Final = "user_id"
TRACE_ID: Final = "trace_id"
SPAN_ID: Final = "span_id"

Value = str | Callable[[], str | None]

_NOTHING: Mapping[str, Value] = MappingProxyType({})
_ambient: ContextVar[Mapping[str, Value]] = ContextVar("event_metadata", default=_NOTHING)


def current_event_metadata() -> dict[str, str]:
    """Return the metadata that the enclosing ``event_metadata()`` blocks hold.

    It belongs to the current thread or task (``contextvars``). Callable values are called.
    Where the project traces with OpenTelemetry, the current span is under it all.

    Raises:
        InvalidEventError: a callable returned something that is no text.
    """
    held = trace_metadata()
    for key, value in _ambient.get().items():
        text = value() if callable(value) else value
        if text is not None:
            held[key] = text
    if held:
        check_metadata(held)
    return held


async def acurrent_event_metadata() -> dict[str, str]:
    """See current_event_metadata(); callable values, which may block, are called in a thread."""
    if any(callable(value) for value in _ambient.get().values()):
        return await sync_to_async(current_event_metadata)()
    return current_event_metadata()


class event_metadata(ContextDecorator):  # noqa: N801 - used like a function
    """Merge ``keys`` into the metadata of each event saved inside the block.

    A context manager and a decorator (of ``async`` functions too). Blocks nest: the inner
    one wins over the outer, and an event's own keys win over both. What a block holds is
    seen by its own thread or task alone. Generators it does not decorate (``TypeError``): they
    run in between their caller's steps; put a block around each save inside instead.

    Keyword arguments are metadata keys. A value is text, or a callable without arguments that
    returns it, called when an event is saved; ``None`` leaves a key out.

    Raises:
        InvalidEventError: a value is not text.
    """

    def __init__(self, **keys: Value | None) -> None:
        self._keys = {key: value for key, value in keys.items() if value is not None}
        check_metadata({key: value for key, value in self._keys.items() if not callable(value)})
        self._tokens: list[Token[Mapping[str, Value]]] = []

    def _recreate_cm(self) -> event_metadata:
        # One object per call of a decorated function: tokens must not be shared.
        return type(self)(**self._keys)

    def __call__(self, func: Any) -> Any:
        if isgeneratorfunction(func) or isasyncgenfunction(func):
            raise TypeError(
                f"event_metadata() cannot decorate {func.__qualname__}(), a generator: it would "
                f"hold until the generator is made, and for none of its steps. Put `with "
                f"event_metadata(...):` around the saving inside it."
            )
        if not iscoroutinefunction(func):
            return super().__call__(func)

        @wraps(func)
        async def inside(*args: Any, **kwargs: Any) -> Any:
            with self._recreate_cm():
                return await func(*args, **kwargs)

        return inside

    def __enter__(self) -> None:
        merged = MappingProxyType({**_ambient.get(), **self._keys})
        self._tokens.append(_ambient.set(merged))

    def __exit__(self, *raised: object) -> None:
        _ambient.reset(self._tokens.pop())
