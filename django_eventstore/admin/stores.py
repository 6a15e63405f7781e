"""The list of stores, and one store: where it is, how much it holds, what happened last."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
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
from ..events import Event
from ..exceptions import EventStoreError
from ..store import EventStore
from .charts import recent_activity
from .scanning import scan
from .scope import Scope, Visit, browsable_stores


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


def stores(visit: Visit) -> HttpResponse:
    """List the configured stores and their namespaces."""
    browsable, broken = browsable_stores(visit.options)
    rows = [(store, type(store).__name__, health(store)) for store in browsable]
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


def store(scope: Scope) -> HttpResponse:
    """Show one store."""
    answer = health(scope.store)
    limit = scope.options.chart_events
    recent = None
    if not answer.error:
        newest = scope.store.read_all_with_errors(reverse=True, limit=limit)
        recent = recent_activity(newest, limit, scope.deadline)
    return scope.render(
        "store.html",
        scope.label,
        health=answer,
        recent=recent,
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

    def drop_if_stale(entry: CachedVersion) -> CachedVersion | None:
        if not entry.stale:
            return None
        cache.delete(entry.actor_id)
        return entry

    entries = backend.check_cached_versions(namespace)
    looked = scan(entries, drop_if_stale, scope.deadline)
    text = _("Entries compared with the store: %(count)s, stale: %(stale)s.") % {
        "count": looked.looked_at,
        "stale": len(looked.found),
    }
    if not looked.done:
        text += " " + _("The time for one page ran out before the last one.")
    (messages.warning if looked.found else messages.success)(scope.request, text)
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
