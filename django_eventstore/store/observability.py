"""What operations on stores did: a signal for counters, OpenTelemetry spans, log records.

All three come from one place, ``observe()``. It costs half a microsecond where nobody
listens: no receiver of ``store_operation``, no tracer provider, no logging at DEBUG.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Self

from django.dispatch import Signal

from ..events import Event, ReplayError
from ..events.tracing import span_context, tracing
from ..exceptions import (
    DuplicateEventError,
    EventTooLargeError,
    InvalidEventError,
    StoreUnavailableError,
    UnsupportedOperation,
    VersionConflictError,
)
from ..signals import store_operation

logger = logging.getLogger("django_eventstore")

MAX_LINKS: Final = 32
"""The most traces that one span is linked to."""

_OUTCOMES: Final = (
    (VersionConflictError, "conflict"),
    (DuplicateEventError, "duplicate"),
    (InvalidEventError, "invalid"),
    (EventTooLargeError, "too_large"),
    (StoreUnavailableError, "unavailable"),
    (UnsupportedOperation, "unsupported"),
    # A reader that has seen enough closes its generator.
    (GeneratorExit, "ok"),
)


class Store(Protocol):
    """What has to be known of a store."""

    alias: str | None


class Operation:
    """One operation on a store, from entering the block to leaving it.

    Attributes:
        events: how many events were saved, read or folded; count with ``add()`` or set it.
        outcome: how it ends where nothing is raised, if not ``ok``.
    """

    events: int = 0
    outcome: str = "ok"

    def add(self, item: Event | ReplayError) -> None:
        """Count an event, and link the span to the trace that the event belongs to."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: Any) -> None:
        """Tell how it ended; ``raised`` is the exception's class, itself and its traceback."""


@dataclass
class _Observed(Operation):
    store: Store
    name: str
    namespace: str
    actor_id: str | None
    trace: Any
    # Not while a generator is under way: what its reader does in between is no part of it.
    is_current: bool = True
    links: set[tuple[str, str]] = field(default_factory=set)
    span: Any = None
    current: Any = None

    def __enter__(self) -> Self:
        self.started = time.perf_counter()
        if self.trace is not None:
            tracer = self.trace.get_tracer("django_eventstore")
            kinds = self.trace.SpanKind
            attributes = {
                "eventstore.store": self.store.alias or "",
                "eventstore.namespace": self.namespace,
            }
            if self.actor_id is not None:
                attributes["eventstore.actor_id"] = self.actor_id
            self.span = tracer.start_span(
                f"eventstore.{self.name}",
                kind=kinds.PRODUCER if self.name == "save" else kinds.INTERNAL,
                attributes=attributes,
                record_exception=False,
                set_status_on_exception=False,
            )
            if self.is_current:
                self.current = self.trace.use_span(
                    self.span, record_exception=False, set_status_on_exception=False
                )
                self.current.__enter__()
        return self

    def add(self, item: Event | ReplayError) -> None:
        self.events += 1
        if self.span is None or not isinstance(item, Event) or len(self.links) >= MAX_LINKS:
            return
        key = (item.trace_id or "", item.span_id or "")
        if key in self.links:
            return
        context = span_context(self.trace, *key)
        if context is not None and context.span_id != self.span.get_span_context().span_id:
            self.links.add(key)
            self.span.add_link(
                context, {"eventstore.event_id": item.id, "eventstore.actor_id": item.actor_id}
            )

    def __exit__(self, *raised: Any) -> None:
        error: BaseException | None = raised[1]
        seconds = time.perf_counter() - self.started
        outcome = self.outcome if error is None else outcome_of(error)
        if self.span is not None:
            if self.current is not None:
                self.current.__exit__(None, None, None)
            self.span.set_attribute("eventstore.events", self.events)
            self.span.set_attribute("eventstore.outcome", outcome)
            if error is not None and outcome != "ok":
                self.span.set_status(self.trace.StatusCode.ERROR, outcome)
            self.span.end()
        _tell(self.store, self.namespace, self.name, outcome, self.events, seconds, self.actor_id)


_UNOBSERVED: Final = Operation()


def observe(store: Store, name: str, namespace: str, actor_id: str | None = None) -> Operation:
    """Return a context manager that tells of one operation.

    Args:
        store: the store.
        name: what is done: ``save``, ``read_actor``, ``read_store``, ``replay``.
        namespace: the namespace it is done in.
        actor_id: the actor, where there is one.
    """
    return _observed(store, name, namespace, actor_id) or _UNOBSERVED


def observe_items(
    store: Store,
    name: str,
    namespace: str,
    items: Iterator[Event | ReplayError],
    actor_id: str | None = None,
) -> Iterator[Event | ReplayError]:
    """Return ``items``, and tell of the reading when it ends; see observe()."""
    operation = _observed(store, name, namespace, actor_id)
    return items if operation is None else _reading(operation, items)


def aobserve_items(
    store: Store,
    name: str,
    namespace: str,
    items: AsyncGenerator[Event | ReplayError, None],
    actor_id: str | None = None,
) -> AsyncGenerator[Event | ReplayError, None]:
    """See observe_items()."""
    operation = _observed(store, name, namespace, actor_id)
    return items if operation is None else _areading(operation, items)


def _observed(store: Store, name: str, namespace: str, actor_id: str | None) -> _Observed | None:
    trace = tracing()
    if trace is None and not store_operation.receivers and not logger.isEnabledFor(logging.DEBUG):
        return None
    return _Observed(store, name, namespace, actor_id, trace)


def _reading(
    operation: _Observed, items: Iterator[Event | ReplayError]
) -> Iterator[Event | ReplayError]:
    operation.is_current = False
    with operation:
        for item in items:
            operation.add(item)
            yield item


async def _areading(
    operation: _Observed, items: AsyncGenerator[Event | ReplayError, None]
) -> AsyncGenerator[Event | ReplayError, None]:
    operation.is_current = False
    with operation:
        async with aclosing(items):
            async for item in items:
                operation.add(item)
                yield item


def retried(store: Store, namespace: str, actor_id: str | None, reason: Exception) -> None:
    """Tell that something is tried again because of ``reason``."""
    if store_operation.receivers or logger.isEnabledFor(logging.DEBUG):
        _tell(store, namespace, "retry", outcome_of(reason), 0, 0.0, actor_id)


def outcome_of(error: BaseException) -> str:
    """Return the one word that ``store_operation`` has for an operation that raised ``error``."""
    return next((outcome for kind, outcome in _OUTCOMES if isinstance(error, kind)), "error")


def _tell(
    store: Store,
    namespace: str,
    name: str,
    outcome: str,
    events: int,
    seconds: float,
    actor_id: str | None,
) -> None:
    told: dict[str, Any] = {
        "namespace": namespace,
        "operation": name,
        "outcome": outcome,
        "events": events,
        "seconds": seconds,
        "actor_id": actor_id,
    }
    logger.debug("%s: %s", name, outcome, extra={"store": store.alias, **told})
    send(store_operation, store, **told)


def send(signal: Signal, store: Store, namespace: str, **values: Any) -> None:
    """Send ``signal``; a receiver that fails is logged, and nothing to the caller."""
    for receiver, response in signal.send_robust(
        type(store), store=store, namespace=namespace, **values
    ):
        if isinstance(response, Exception):
            logger.error(
                "Receiver %r failed (store %r)",
                receiver,
                store.alias,
                exc_info=response,
                extra={"store": store.alias, "namespace": namespace},
            )
