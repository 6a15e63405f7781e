"""The list of stores, and one store: where it is, how much it holds, what happened last."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.http import (
    Http404,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.utils.translation import gettext as _

from ..backends.values import CachedVersion, StoreStatistics
from ..conf import event_stores
from ..events import Event, ReplayError
from ..exceptions import EventStoreError, InvalidEventError
from ..store import EventStore
from .charts import Activity, activity
from .limits import Deadline, scan
from .scope import NO_NAMESPACE, Scope, Visit, namespaces_of


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a store answers, and what it then says.

    Attributes:
        statistics: how much it holds; None if it does not answer.
        newest: its newest event, if any.
        milliseconds: how long the answers took.
        error: why it does not answer.
    """

    statistics: StoreStatistics | None = None
    newest: Event | None = None
    milliseconds: float = 0.0
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A store in the list."""

    alias: str
    namespace: str
    url: str
    backend: str
    health: Health


def stores(visit: Visit) -> HttpResponse:
    """List the configured stores and their namespaces."""
    rows = []
    broken = []
    for alias in event_stores:
        try:
            configured = event_stores[alias]
            namespaces = namespaces_of(configured, visit.options)
        except (ImproperlyConfigured, InvalidEventError) as error:
            broken.append((alias, error))
            continue
        for namespace in namespaces:
            store = configured.with_namespace(namespace)
            url = visit.url("store", alias, namespace or NO_NAMESPACE)
            rows.append(Row(alias, namespace, url, type(store).__name__, health(store)))
    return visit.render("stores.html", _("Event stores"), rows=rows, broken=broken, crumbs=())


def health(store: EventStore) -> Health:
    """Ask a store how it is."""
    started = time.perf_counter()
    try:
        statistics = store.get_statistics()
        newest = next(store.read_all(limit=1, reverse=True), None)
    except (EventStoreError, DatabaseError) as error:
        # A database that answers may still lack the tables: it was not migrated.
        return Health(error=error)
    return Health(statistics, newest, (time.perf_counter() - started) * 1000)


@dataclass(slots=True)
class Recent:
    """The newest part of a store.

    Attributes:
        chart: its events over time.
        malformed: how many malformed events are in it.
        looked_at: how many events it is.
        whole: whether it is the whole store.
    """

    chart: Activity = field(default_factory=Activity)
    malformed: int = 0
    looked_at: int = 0
    whole: bool = False


def recent(store: EventStore, at_most: int, deadline: Deadline) -> Recent:
    """Look at the newest events of a store."""
    points = []
    errors = []

    def note(item: Event | ReplayError) -> bool:
        if isinstance(item, ReplayError):
            errors.append(item)
        else:
            points.append((item.timestamp, item.event_type))
        return False

    looked = scan(
        store.read_all_with_errors(reverse=True, limit=at_most),
        note,
        deadline,
        wanted=1,
        at_most=at_most,
    )
    whole = looked.done and looked.looked_at < at_most
    return Recent(activity(points), len(errors), looked.looked_at, whole)


def store(scope: Scope) -> HttpResponse:
    """Show one store."""
    checked = health(scope.store)
    return scope.render(
        "store.html",
        scope.label,
        health=checked,
        recent=None
        if checked.error
        else recent(scope.store, scope.options.chart_events, scope.deadline),
        details=_details(scope.store.describe()),
        cache=scope.store.backend.version_cache(scope.store.namespace),
        crumbs=(),
    )


def check_cache(scope: Scope) -> HttpResponseBase:
    """Compare what the version cache remembers with the store; stale entries are dropped."""
    if scope.request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    backend, namespace = scope.store.backend, scope.store.namespace
    cache = backend.version_cache(namespace)
    if cache is None:
        raise Http404("no version cache")
    stale = []

    def drop_if_stale(entry: CachedVersion) -> bool:
        if entry.stale:
            stale.append(entry.actor_id)
            cache.delete(entry.actor_id)
        return False

    entries = backend.check_cached_versions(namespace)
    looked = scan(entries, drop_if_stale, scope.deadline, wanted=1)
    text = _("Entries compared with the store: %(count)s, stale: %(stale)s.") % {
        "count": looked.looked_at,
        "stale": len(stale),
    }
    if not looked.done:
        text += " " + _("The time for one page ran out before the last one.")
    (messages.warning if stale else messages.success)(scope.request, text)
    return HttpResponseRedirect(scope.url("store"))


def _details(described: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a store says of itself as (name, text), flat and in its order."""
    rows = []
    for name, value in described.items():
        if isinstance(value, dict):
            rows += [(f"{name} · {inner}", str(held)) for inner, held in value.items()]
        elif isinstance(value, (list, tuple)):
            rows.append((name, ", ".join(map(str, value)) or "—"))
        else:
            rows.append((name, "—" if value in (None, "") else str(value)))
    return rows
