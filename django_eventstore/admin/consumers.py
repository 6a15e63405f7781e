"""Projections and forwarders: how far each is, and what keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, router
from django.http import HttpResponse
from django.utils.connection import ConnectionDoesNotExist
from django.utils.translation import gettext as _

from ..conf import event_stores
from ..exceptions import EventStoreError
from ..models import Consumer, ConsumerStatus
from ..projections.registry import get_projections
from ..workers.consumers import ConsumerFigures, bookkeeping_database, consumer_figures
from .redaction import Redaction
from .scope import Visit, browsable_stores


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
    stores, broken = browsable_stores(visit.options)
    places = {(store.alias, store.namespace) for store in stores}
    databases = [
        router.db_for_read(Consumer),
        *(projection.using for projection in get_projections()),
        *map(bookkeeping_database, stores),
    ]
    for alias in dict.fromkeys(databases):
        found = Consumer.objects.using(alias).exclude(
            status__in=(ConsumerStatus.RETIRED, ConsumerStatus.REPLAYING)
        )
        try:
            rows += [
                _row(consumer)
                for consumer in found.order_by("name", "namespace")
                # One of a store that is not configured any more says so.
                if consumer.store not in event_stores
                or (consumer.store, consumer.namespace) in places
            ]
        except (DatabaseError, ConnectionDoesNotExist) as error:
            broken.append((alias, error))
    return visit.render(
        "consumers.html",
        _("Projections and forwarding"),
        rows=rows,
        broken=broken,
        errors_hidden=Redaction(visit.options).configured,
        crumbs=[(_("Event stores"), visit.url("stores"))],
    )


def _row(consumer: Consumer) -> Row:
    try:
        return Row(consumer, consumer_figures(consumer, event_stores[consumer.store]))
    except (ConnectionDoesNotExist, ImproperlyConfigured, EventStoreError) as error:
        return Row(consumer, None, error)
