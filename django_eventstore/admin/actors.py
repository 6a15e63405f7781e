"""The list of actors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ..backends.values import ACTOR_ORDERINGS, ActorSummary
from ..events import Event
from ..replay import ReplayError
from .limits import scan
from .scope import Crumb, Scope

COLUMNS: Final = (
    ("actor_id", gettext_lazy("Actor")),
    ("latest_version", gettext_lazy("Version")),
    ("event_count", gettext_lazy("Events")),
    ("first_timestamp", gettext_lazy("First seen")),
    ("last_timestamp", gettext_lazy("Last seen")),
)

MALFORMED_COLUMNS: Final = (
    *COLUMNS[:2],
    ("malformed", gettext_lazy("Malformed events")),
)
"""Those of the actors with malformed events: found by their events, without the figures of a
listing."""

DETAILS: Final = frozenset({"latest_version", "first_timestamp"})
"""Columns that a phone has no room for."""

SEEN: Final = {
    "day": (gettext_lazy("In the last day"), timedelta(days=1)),
    "week": (gettext_lazy("In the last week"), timedelta(days=7)),
    "month": (gettext_lazy("In the last 30 days"), timedelta(days=30)),
    "year": (gettext_lazy("In the last year"), timedelta(days=365)),
    "not-month": (gettext_lazy("Not for 30 days"), timedelta(days=-30)),
    "not-year": (gettext_lazy("Not for a year"), timedelta(days=-365)),
}
"""Filter -> label, and the time since (or, negative, up to) the last event."""


@dataclass(frozen=True, slots=True)
class Row:
    """An actor in the list."""

    actor: ActorSummary
    snapshot: int | None
    malformed: int = 0


@dataclass(frozen=True, slots=True)
class Header:
    """A column's head: its name, and the address that sorts by it."""

    label: str
    url: str | None
    descending: bool | None
    is_detail: bool


def actors(scope: Scope) -> HttpResponse:
    """List actors: searched, filtered, sorted, a page at a time."""
    if scope.text("malformed"):
        return _with_malformed(scope)
    seen = scope.text("seen")
    if seen and (seen not in SEEN or "last_timestamp" not in scope.store.actor_orderings):
        raise Http404("no such filter")
    order_by = _order(scope, seen)
    page = scope.store.get_actors(
        search=scope.request.GET.get("q", ""),
        order_by=order_by,
        limit=scope.options.page_size,
        cursor=scope.text("cursor") or None,
    )
    listed = [actor for actor in page if not seen or _was_seen(actor, SEEN[seen][1])]
    # The order is by the last event: behind the first actor that does not fit none does.
    next_cursor = page.next_cursor if len(listed) == len(page) else None
    snapshots = scope.store.get_snapshot_versions(actor.actor_id for actor in listed)
    return _render(
        scope,
        rows=[Row(actor, snapshots.get(actor.actor_id)) for actor in listed],
        headers=_headers(scope, order_by, sortable=not seen),
        next_url=scope.here(cursor=next_cursor) if next_cursor else None,
        note="",
    )


def _order(scope: Scope, seen: str) -> str:
    if seen:
        return "last_timestamp" if seen.startswith("not-") else "-last_timestamp"
    order_by = scope.text("o") or "actor_id"
    if order_by.removeprefix("-") not in ACTOR_ORDERINGS:
        raise Http404("no such order")
    return order_by


def _was_seen(actor: ActorSummary, span: timedelta) -> bool:
    if actor.last_timestamp is None:
        return False
    now = timezone.now()
    if span > timedelta(0):
        return actor.last_timestamp >= now - span
    return actor.last_timestamp < now + span


def _with_malformed(scope: Scope) -> HttpResponse:
    """List the actors with malformed events, as far as the time allows to look."""
    counts: dict[str, int] = {}

    def note(item: Event | ReplayError) -> bool:
        if isinstance(item, ReplayError) and item.actor_id is not None:
            counts[item.actor_id] = counts.get(item.actor_id, 0) + 1
            return counts[item.actor_id] == 1
        return False

    before = scope.integer("before")
    looked = scan(
        scope.store.read_all_with_errors(before=before, reverse=True),
        note,
        scope.deadline,
        wanted=scope.options.page_size,
    )
    ids = [actor_id for actor_id in counts if scope.request.GET.get("q", "") in actor_id]
    snapshots = scope.store.get_snapshot_versions(ids)
    rows = [
        Row(
            ActorSummary(actor_id, scope.store.get_latest_version(actor_id)),
            snapshots.get(actor_id),
            counts[actor_id],
        )
        for actor_id in ids
    ]
    last = looked.last.position if looked.last else None
    return _render(
        scope,
        rows=rows,
        headers=[
            Header(str(label), None, None, name in DETAILS) for name, label in MALFORMED_COLUMNS
        ],
        next_url=None if looked.done or last is None else scope.here(before=last),
        note=ngettext(
            "Looked through %(count)s event, newest first.",
            "Looked through %(count)s events, newest first.",
            looked.looked_at,
        )
        % {"count": number_format(looked.looked_at, force_grouping=True)},
    )


def _headers(scope: Scope, order_by: str, *, sortable: bool) -> list[Header]:
    headers = []
    for name, label in COLUMNS:
        current = order_by.removeprefix("-") == name
        descending = order_by.startswith("-") if current else None
        url = None
        if sortable and name in scope.store.actor_orderings:
            # Numbers and times are first wanted from the top.
            down = (not descending) if current else name != "actor_id"
            url = scope.here(o=f"-{name}" if down else name, cursor=None)
        headers.append(Header(str(label), url, descending, name in DETAILS))
    return headers


def _render(scope: Scope, **context: Any) -> HttpResponse:
    return scope.render(
        "actors.html",
        _("Actors"),
        query=scope.request.GET.get("q", ""),
        seen=[
            (name, label, scope.here(seen=name, cursor=None, malformed=None, o=None, before=None))
            for name, (label, _span) in SEEN.items()
        ]
        if "last_timestamp" in scope.store.actor_orderings
        else [],
        seen_now=scope.text("seen"),
        every_url=scope.here(seen=None, malformed=None, cursor=None, before=None),
        malformed_url=scope.here(malformed="1", seen=None, cursor=None, o=None),
        malformed_now=scope.text("malformed"),
        first_url=scope.here(cursor=None, before=None)
        if scope.text("cursor") or scope.text("before")
        else None,
        crumbs=[Crumb(scope.label, scope.url("store"))],
        **context,
    )
