"""One actor: its timeline, filtered and a page at a time, with snapshots and malformed events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _

from ..events import Event, Snapshot
from ..replay import ReplayError
from .charts import Activity, activity
from .filters import PARAMETERS, Filters, read_filters
from .json_tree import brief
from .limits import Deadline, scan
from .scope import Crumb, Scope


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the timeline: an event, a snapshot or a malformed event.

    Attributes:
        kind: ``event``, ``snapshot`` or ``malformed``.
        item: the Event (masked), Snapshot or ReplayError.
        gap: the time since the event before, where the page knows it.
        brief: the data in one line, "" where it must not be shown.
    """

    kind: str
    item: Any
    gap: timedelta | None = None
    brief: str = ""


def timeline(scope: Scope, actor_id: str) -> HttpResponse:
    """Show what happened to an actor."""
    store = scope.store
    latest = store.get_latest_version(actor_id)
    known = _types_and_chart(scope, actor_id)
    if latest == 0 and not known.found:
        raise Http404("no such actor")
    filters = read_filters(scope)
    newest_first = scope.text("order") != "oldest"
    page = _page(scope, actor_id, filters, newest_first)
    return scope.render(
        "actor.html",
        actor_id,
        actor_id=actor_id,
        latest=latest,
        rows=_with_snapshots(scope, actor_id, page, newest_first, filters),
        page=page,
        filters=filters,
        types=sorted(known.types | filters.types),
        chart=known.chart,
        chart_is_whole=known.whole,
        newest_first=newest_first,
        order_url=scope.here(order="oldest" if newest_first else None, after=None, before=None),
        clear_url=scope.here(**dict.fromkeys((*PARAMETERS, "after", "before"))),
        tab="timeline",
        crumbs=actor_crumbs(scope),
    )


def actor_crumbs(scope: Scope, actor_id: str | None = None) -> list[Crumb]:
    """Return the way to an actor, and through it if it is given."""
    crumbs = [
        Crumb(scope.label, scope.url("store")),
        Crumb(_("Actors"), scope.url("actors")),
    ]
    if actor_id is not None:
        crumbs.append(Crumb(actor_id, scope.url("actor", actor_id)))
    return crumbs


@dataclass(frozen=True, slots=True)
class _Known:
    types: frozenset[str]
    chart: Activity
    whole: bool
    found: int


def _types_and_chart(scope: Scope, actor_id: str) -> _Known:
    """Look at the actor's newest events, for the chart and the choice of types."""
    points: list[tuple[datetime, str]] = []

    def note(item: Event | ReplayError) -> bool:
        if isinstance(item, Event):
            points.append((item.timestamp, item.event_type))
        return False

    limit = scope.options.chart_events
    # Half of the page's time at the most: the timeline itself comes after it.
    looked = scan(
        scope.store.iter_events_with_errors(actor_id, reverse=True, limit=limit),
        note,
        Deadline(scope.options.time_limit / 2),
        wanted=1,
        at_most=limit,
    )
    types = frozenset(event_type for _moment, event_type in points)
    whole = looked.done and looked.looked_at < limit
    return _Known(types, activity(points), whole, looked.looked_at)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of events and malformed events, in the order shown.

    Attributes:
        items: what is on it.
        earlier: the event in front of the oldest one on it, if it was read.
        next_url, previous_url: where it goes on; None at an end.
        looked_at: how many events were looked at to fill it.
        stopped: whether the time was over before it was full.
    """

    items: list[Event | ReplayError]
    earlier: Event | None = None
    next_url: str | None = None
    previous_url: str | None = None
    looked_at: int = 0
    stopped: bool = False


def _page(scope: Scope, actor_id: str, filters: Filters, newest_first: bool) -> Page:
    """Read the page that the address asks for.

    It goes on ``after`` a version, or back from ``before`` one, in the order shown; going back
    reads the other way round. A page is full by its events: malformed ones come on top.
    """
    after, before = scope.integer("after"), scope.integer("before")
    backwards = before is not None
    descending = newest_first != backwards
    low, high = _bounds(filters, before if backwards else after, descending)
    if high is not None and high < low:
        return Page([])
    items: list[Event | ReplayError] = []
    seen: list[Event] = []

    def keep(item: Event | ReplayError) -> bool:
        if isinstance(item, ReplayError):
            if not filters.by_content:
                items.append(item)
            return False
        seen[:] = [item]
        if not filters.fit(scope.redaction.event(item)):
            return False
        items.append(item)
        return True

    looked = scan(
        scope.store.iter_events_with_errors(actor_id, low, to_version=high, reverse=descending),
        keep,
        scope.deadline,
        # One more shows whether there is a further page, and the gap in front of the last one.
        wanted=scope.options.page_size + 1,
    )
    stopped = not looked.done and len(looked.found) <= scope.options.page_size
    extra = None
    if not looked.done and not stopped:
        extra = items.pop()
    ends = [item for item in items if isinstance(item, Event)]
    reached = seen if stopped else ends[-1:]
    onward = None if looked.done or not reached else reached[0].version
    back = ends[0].version if ends and (backwards or after is not None) else None
    if backwards:
        items.reverse()
        onward, back = (ends[0].version if ends else None), onward
    return Page(
        items,
        extra if isinstance(extra, Event) and descending else None,
        None if onward is None else scope.here(after=onward, before=None),
        None if back is None else scope.here(before=back, after=None),
        looked.looked_at,
        stopped,
    )


def _bounds(filters: Filters, edge: int | None, descending: bool) -> tuple[int, int | None]:
    low, high = filters.from_version, filters.to_version
    if edge is not None and descending:
        high = edge - 1 if high is None else min(high, edge - 1)
    elif edge is not None:
        low = max(low, edge + 1)
    return low, high


def _rows(scope: Scope, page: Page, newest_first: bool) -> list[Row]:
    """Return the page's lines, each event with the time since the one before it."""
    chronological = list(reversed(page.items)) if newest_first else page.items
    rows = []
    previous = page.earlier
    for item in chronological:
        if isinstance(item, ReplayError):
            rows.append(Row("malformed", item))
            continue
        gap = item.timestamp - previous.timestamp if previous else None
        shown = scope.shown(item)
        rows.append(Row("event", shown, gap, brief(shown.data) if scope.sees_payload else ""))
        previous = item
    if newest_first:
        rows.reverse()
    return rows


def _with_snapshots(
    scope: Scope, actor_id: str, page: Page, newest_first: bool, filters: Filters
) -> list[Row]:
    """Return the page's lines, with a line behind each event that a snapshot was taken at."""
    rows = _rows(scope, page, newest_first)
    if filters.by_content:
        return rows
    snapshots = {}
    unreadable = []
    for item in scope.store.iter_snapshots_with_errors(actor_id):
        if isinstance(item, Snapshot):
            snapshots[item.version] = item
        else:
            unreadable.append(Row("malformed", item))
    placed = []
    for row in rows:
        snapshot = snapshots.pop(row.item.version, None) if row.kind == "event" else None
        marks = [Row("snapshot", snapshot)] if snapshot else []
        placed += [*marks, row] if newest_first else [row, *marks]
    return unreadable + placed if page.previous_url is None else placed
