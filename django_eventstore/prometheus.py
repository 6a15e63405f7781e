"""Counters for Prometheus; needs ``prometheus-client``.

Call ``connect()`` once, in an ``AppConfig.ready()``. The counters are prometheus-client's own and
go into its default registry, so its multiprocess mode works with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .signals import malformed_event_found, store_operation

if TYPE_CHECKING:
    from .store import EventStore

try:
    from prometheus_client import Counter, Histogram
except ImportError as error:
    raise ImportError(
        "django_eventstore.prometheus needs prometheus-client: pip install prometheus-client"
    ) from error

OPERATIONS = Counter(
    "eventstore_operations",
    "Operations on event stores, by how they ended.",
    ["store", "operation", "outcome"],
)
EVENTS = Counter(
    "eventstore_events",
    "Events saved and read by operations that went well.",
    ["store", "operation"],
)
SECONDS = Histogram(
    "eventstore_operation_seconds",
    "How long operations on event stores took.",
    ["store", "operation"],
)
MALFORMED = Counter(
    "eventstore_malformed_events",
    "Malformed events met, each time that one is.",
    ["store"],
)


def connect() -> None:
    """Count from now on; calling it again changes nothing."""
    store_operation.connect(_count, dispatch_uid="django_eventstore.prometheus")
    malformed_event_found.connect(_count_malformed, dispatch_uid="django_eventstore.prometheus")


def disconnect() -> None:
    """Count no more."""
    store_operation.disconnect(dispatch_uid="django_eventstore.prometheus")
    malformed_event_found.disconnect(dispatch_uid="django_eventstore.prometheus")


def _count(
    *,
    store: EventStore,
    operation: str,
    outcome: str,
    events: int,
    seconds: float,
    **kwargs: Any,
) -> None:
    alias = store.alias or ""
    OPERATIONS.labels(alias, operation, outcome).inc()
    if operation == "retry":
        return
    SECONDS.labels(alias, operation).observe(seconds)
    if outcome == "ok":
        EVENTS.labels(alias, operation).inc(events)


def _count_malformed(*, store: EventStore, **kwargs: Any) -> None:
    MALFORMED.labels(store.alias or "").inc()
