"""Projections and forwarders: how far each is, and what keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, router
from django.http import HttpResponse
from django.utils.connection import ConnectionDoesNotExist
from django.utils.translation import gettext as _

from ..conf import event_stores
from ..consumer_models import Consumer, ConsumerStatus
from ..consumers import ConsumerFigures, consumer_figures
from ..exceptions import EventStoreError
from ..projections.registry import get_projections
from .scope import Crumb, Visit, namespaces_of


@dataclass(frozen=True, slots=True)
class Row:
    """A consumer in the list; without figures where they cannot be had."""

    consumer: Consumer
    figures: ConsumerFigures | None
    problem: Exception | None = None

    @property
    def error_line(self) -> str:
        """The line of the last error that says most: a traceback's last one."""
        lines = self.figures.last_error.strip().splitlines() if self.figures else []
        return lines[-1] if lines else ""


def consumers(visit: Visit) -> HttpResponse:
    """List the projections and forwarders that have begun."""
    rows = []
    broken = []
    for alias in _databases():
        found = Consumer.objects.using(alias).exclude(
            status__in=(ConsumerStatus.RETIRED, ConsumerStatus.REPLAYING)
        )
        try:
            rows += [
                _row(consumer)
                for consumer in found.order_by("name", "namespace")
                if _may_be_seen(consumer, visit)
            ]
        except (DatabaseError, ConnectionDoesNotExist) as error:
            broken.append((alias, error))
    return visit.render(
        "consumers.html",
        _("Projections and forwarding"),
        rows=rows,
        broken=broken,
        crumbs=[Crumb(_("Event stores"), visit.url("stores"))],
    )


def _databases() -> list[str]:
    """Return the databases where consumers keep their checkpoints."""
    return list(
        dict.fromkeys(
            [
                router.db_for_read(Consumer),
                *(projection.using for projection in get_projections()),
                # A forwarder keeps its own beside the events that it reads.
                *(getattr(store, "database", "default") for store in event_stores.all()),
            ]
        )
    )


def _may_be_seen(consumer: Consumer, visit: Visit) -> bool:
    if consumer.store not in event_stores:
        return True
    return consumer.namespace in namespaces_of(event_stores[consumer.store], visit.options)


def _row(consumer: Consumer) -> Row:
    try:
        return Row(consumer, consumer_figures(consumer, event_stores[consumer.store]))
    except (ConnectionDoesNotExist, ImproperlyConfigured, EventStoreError) as error:
        return Row(consumer, None, error)
