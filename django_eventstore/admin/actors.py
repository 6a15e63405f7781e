"""The list of actors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from math import floor
from typing import Any, Final

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ..backends.values import ACTOR_ORDERINGS, ActorSummary
from ..events import Event, ReplayError
from .scanning import scan
from .scope import Scope

COLUMNS: Final = (
    ("actor_id", gettext_lazy("Actor")),
    ("latest_version", gettext_lazy("Version")),
    ("event_count", gettext_lazy("Events")),
    ("malformed", gettext_lazy("Malformed events")),
    ("first_timestamp", gettext_lazy("First seen")),
    ("last_timestamp", gettext_lazy("Last seen")),
)
"""Only the list of actors with malformed events counts these."""

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


LAST_SEEN: Final = ("last_timestamp", "last_position")
"""What may order actors by their last event: by its time, or by when it was stored."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of actors; not ``complete`` if the time was over before all was looked at."""

    actors: list[ActorSummary]
    next_cursor: str | None
    coverage: float
    complete: bool


@dataclass(frozen=True, slots=True)
class Row:
    """An actor in the list."""

    actor: ActorSummary
    snapshot: int | None
    malformed: int


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
    if seen and (seen not in SEEN or not _last_seen(scope)):
        raise Http404("no such filter")
    order_by = _order(scope, seen)
    listed = _look(scope, order_by, SEEN[seen][1] if seen else None)
    # A list by id is found by and by, and its pages are there all the same.
    is_found = order_by.endswith("actor_id")
    return _render(
        scope,
        listed.actors,
        {},
        headers=_headers(scope, order_by, sortable=not seen),
        next_url=scope.here(cursor=listed.next_cursor) if listed.next_cursor else None,
        again_url=scope.here() if is_found and not listed.complete else None,
        goes_on=not is_found and not listed.complete,
        note=_coverage(order_by, listed),
    )


def _last_seen(scope: Scope) -> str:
    """Return what orders the store's actors by their last event; "" if nothing does."""
    orderings = scope.store.backend.actor_orderings
    return next((name for name in LAST_SEEN if name in orderings), "")


def _order(scope: Scope, seen: str) -> str:
    last_seen = _last_seen(scope)
    if seen:
        return last_seen if seen.startswith("not-") else f"-{last_seen}"
    order_by = scope.text("o")
    if not order_by:
        # A store that goes by positions has no index of ids: a search is worth making one.
        by_id = last_seen != "last_position" or scope.text("q")
        return "actor_id" if by_id else "-last_position"
    if order_by.removeprefix("-") not in ACTOR_ORDERINGS:
        raise Http404("no such order")
    return order_by


def _look(scope: Scope, order_by: str, span: timedelta | None) -> Listed:
    """Read pages of actors until one is full of those that fit, or the time is over."""
    wanted = scope.options.page_size
    cursor = scope.text("cursor") or None
    fitting: list[ActorSummary] = []
    while True:
        page = scope.store.get_actors(
            search=scope.request.GET.get("q", ""),
            order_by=order_by,
            limit=wanted - len(fitting),
            cursor=cursor,
            time_limit=scope.deadline.left,
        )
        fit = [actor for actor in page if span is None or _was_seen(actor, span)]
        fitting += fit
        cursor = page.next_cursor
        if len(fit) < len(page) and order_by.endswith("last_timestamp"):
            cursor = None  # behind the first one that does not fit none does
        complete = page.coverage == 1 and (cursor is None or len(fitting) == wanted)
        if complete or page.coverage < 1 or scope.deadline.passed:
            return Listed(fitting, cursor, page.coverage, complete)


def _coverage(order_by: str, listed: Listed) -> str:
    """Say how far the store was looked through, where that was not far enough."""
    if listed.complete:
        return ""
    if listed.coverage == 1:
        return _("The time ran out before the page was full.")
    share = number_format(floor(listed.coverage * 1000) / 10, 1)
    if order_by.endswith("actor_id"):
        return _(
            "The store has no index of its actors: the first list of a process has to find them. "
            "So far it has looked through %(share)s%%."
        ) % {"share": share}
    return _("Looked through %(share)s%% of the store.") % {"share": share}


def _was_seen(actor: ActorSummary, span: timedelta) -> bool:
    if actor.last_timestamp is None:
        return False
    age = timezone.now() - actor.last_timestamp
    return age <= span if span > timedelta(0) else age > -span


def _with_malformed(scope: Scope) -> HttpResponse:
    """List the actors with malformed events, as far as the time allows to look."""
    counts: Counter[str] = Counter()
    query = scope.request.GET.get("q", "")

    def new_actor(item: Event | ReplayError) -> str | None:
        if not isinstance(item, ReplayError) or item.actor_id is None or query not in item.actor_id:
            return None
        counts[item.actor_id] += 1
        return item.actor_id if counts[item.actor_id] == 1 else None

    looked = scan(
        scope.store.read_all_with_errors(before=scope.integer("before"), reverse=True),
        new_actor,
        scope.deadline,
        wanted=scope.options.page_size,
    )
    summaries = scope.store.get_actor_summaries(counts)
    return _render(
        scope,
        [summaries.get(actor_id) or ActorSummary(actor_id, 0) for actor_id in counts],
        counts,
        headers=[Header(str(label), None, None, name in DETAILS) for name, label in COLUMNS],
        next_url=scope.further(looked),
        goes_on=not looked.done,
        note=ngettext(
            "Looked through %(count)s event, newest first.",
            "Looked through %(count)s events, newest first.",
            looked.looked_at,
        )
        % {"count": number_format(looked.looked_at, force_grouping=True)},
    )


def _headers(scope: Scope, order_by: str, *, sortable: bool) -> list[Header]:
    headers = []
    for column, label in COLUMNS:
        if column == "malformed":
            continue
        name = _last_seen(scope) or column if column == "last_timestamp" else column
        current = order_by.removeprefix("-") == name
        descending = order_by.startswith("-") if current else None
        url = None
        if sortable and name in scope.store.backend.actor_orderings:
            # Numbers and times are first wanted from the top.
            down = (not descending) if current else name != "actor_id"
            url = scope.here(o=f"-{name}" if down else name, cursor=None)
        headers.append(Header(str(label), url, descending, column in DETAILS))
    return headers


def _render(
    scope: Scope, listed: list[ActorSummary], malformed: dict[str, int], **context: Any
) -> HttpResponse:
    snapshots = scope.store.get_snapshot_versions(actor.actor_id for actor in listed)
    return scope.render(
        "actors.html",
        _("Actors"),
        rows=[
            Row(actor, snapshots.get(actor.actor_id), malformed.get(actor.actor_id, 0))
            for actor in listed
        ],
        query=scope.request.GET.get("q", ""),
        seen=[
            (name, label, scope.here(seen=name, cursor=None, malformed=None, o=None, before=None))
            for name, (label, _span) in SEEN.items()
        ]
        if _last_seen(scope)
        else [],
        seen_now=scope.text("seen"),
        every_url=scope.here(seen=None, malformed=None, cursor=None, before=None),
        malformed_url=scope.here(malformed="1", seen=None, cursor=None, o=None),
        malformed_now=scope.text("malformed"),
        first_url=scope.here(cursor=None, before=None)
        if scope.text("cursor") or scope.text("before")
        else None,
        **context,
    )
