"""Counters for Prometheus; needs ``prometheus-client``.

Call ``connect()`` once, in an ``AppConfig.ready()``. The counters are prometheus-client's own and
go into its default registry, so its multiprocess mode works with them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.utils.connection import ConnectionDoesNotExist

from .conf import event_stores
from .exceptions import EventStoreError
from .signals import malformed_event_found, store_operation

if TYPE_CHECKING:
    from .store import EventStore
    from .workers.consumers import ConsumerFigures

try:
    from prometheus_client import Counter, Histogram
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImportError(
        "django_eventstore.prometheus needs prometheus-client: pip install prometheus-client"
    ) from error

logger = logging.getLogger("django_eventstore")

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
    "eventstore_malformed_events", "Malformed events met, each time that one is.", ["store"]
)

# Of ConsumerFigures.to_dict(): the figure, the name of its metric, and what that says.
_FIGURES: Final = (
    ("lag", "eventstore_consumer_lag_events", "Events not yet applied."),
    ("lag_seconds", "eventstore_consumer_lag_seconds", "Age of the first of them."),
    ("workers", "eventstore_consumer_workers", "Workers that are alive."),
    ("parked", "eventstore_consumer_parked_events", "Events that are parked."),
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
    *, store: EventStore, operation: str, outcome: str, events: int, seconds: float, **kwargs: Any
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


class ConsumerCollector(Collector):
    """How far projections and forwarders are behind, asked of the database at each scrape.

    Register it where metrics are served, ``REGISTRY.register(ConsumerCollector())``, once.

    Args:
        databases: the aliases of the databases that consumers keep their checkpoints in.
    """

    def __init__(self, databases: Sequence[str] = ("default",)) -> None:
        self._databases = databases

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return no names in advance, so that registering asks no database."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        gauges = {
            name: GaugeMetricFamily(metric, text, labels=("consumer", "namespace"))
            for name, metric, text in _FIGURES
        }
        for figures in self._figures():
            told = figures.to_dict()
            for name, gauge in gauges.items():
                gauge.add_metric((figures.name, figures.namespace), told[name])
        yield from gauges.values()

    def _figures(self) -> Iterator[ConsumerFigures]:
        # Models cannot be imported before the apps are ready.
        from .models import Consumer, ConsumerStatus
        from .workers.consumers import consumer_figures

        for database in self._databases:
            live = Consumer.objects.using(database).filter(status=ConsumerStatus.LIVE)
            for consumer in live:
                try:
                    yield consumer_figures(consumer, event_stores[consumer.store])
                except (ConnectionDoesNotExist, ImproperlyConfigured, EventStoreError) as error:
                    # A gap in its series says it too; the others are not held up.
                    logger.warning(
                        "No figures of %s: %s",
                        consumer,
                        error,
                        extra={"consumer": consumer.name, "namespace": consumer.namespace},
                    )
