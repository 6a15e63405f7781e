"""One actor: its timeline, filtered and a page at a time, with snapshots and malformed events."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import Any, Final, TypeAlias

from django.http import HttpResponse

from ..events import Event, ReplayError, Snapshot
from ..events.validation import MAX_VERSION
from .charts import recent_activity
from .json_tree import brief
from .scanning import Deadline, Scan, scan
from .scope import Scope
from .timeline_filters import PARAMETERS, Filters, read_filters
from .versions import first_event, last_event, latest_version

Item: TypeAlias = Event | ReplayError


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
    latest = latest_version(scope, actor_id)
    # Half of the page's time at the most: the timeline itself comes after it.
    recent = recent_activity(
        scope.store.iter_events_with_errors(
            actor_id, reverse=True, limit=scope.options.chart_events
        ),
        scope.options.chart_events,
        Deadline(scope.options.time_limit / 2),
    )
    filters = read_filters(scope)
    newest_first = scope.text("order") != "oldest"
    page = _page(scope, actor_id, filters, newest_first)
    return scope.render(
        "actor.html",
        actor_id,
        actor_id=actor_id,
        latest=latest,
        rows=_rows(scope, actor_id, page, filters),
        page=page,
        filters=filters,
        types=sorted(recent.types | set(filters.types)),
        chart=recent.chart,
        chart_is_whole=recent.whole,
        newest_first=newest_first,
        order_url=scope.here(order="oldest" if newest_first else None, **FIRST_PAGE),
        clear_url=scope.here(**dict.fromkeys(PARAMETERS), **FIRST_PAGE),
        tab="timeline",
        crumbs=scope.actor_crumbs(),
    )


@dataclass(frozen=True, slots=True)
class Page:
    """A page of events and malformed events.

    Attributes:
        items: what is on it, oldest first.
        newest_first: whether it is shown the other way round.
        earlier: the event in front of the oldest one on it, if it was read.
        next_url, previous_url: where it goes on; None at an end.
        looked_at: how many events were looked at to fill it.
        stopped: whether the time was over before it was full.
    """

    items: list[Item]
    newest_first: bool
    earlier: Event | None
    next_url: str | None
    previous_url: str | None
    looked_at: int
    stopped: bool


FIRST_PAGE: Final[dict[str, None]] = {"after": None, "before": None, "place": None}
"""Takes what leads to a further page out of an address."""


@dataclass(slots=True)
class _Reading:
    """The way through a history, from the edge of a page on.

    A page goes on ``after`` a version, or back from ``before`` one, in the order shown; going
    back reads the other way round. A malformed event may have no version that its store can
    tell: so ``place``, a position, says where among those between two events the edge is.

    Attributes:
        descending: whether the newest is read first.
        version: the edge: the version of the last event in front of it; None: an end.
        place: the position in front of which nothing is read again.
        edge: the event of that version.
        passed: the last event that was met.
    """

    scope: Scope
    actor_id: str
    filters: Filters
    descending: bool
    version: int | None
    place: int | None
    edge: Event | None = None
    passed: Event | None = None

    def items(self) -> Iterator[Item]:
        """Yield what is behind the edge, within the versions that are asked for."""
        store, low, high = self.scope.store, self.filters.from_version, self.filters.to_version
        lowest, highest = self._places()
        # With the event at the edge: malformed ones stand behind it.
        if self.version is not None and self.descending:
            high = self.version if high is None else min(high, self.version)
        elif self.version is not None:
            low = max(low, self.version)
        if high is not None and high < low:
            return
        items = store.iter_events_with_errors(
            self.actor_id, low, to_version=high, reverse=self.descending
        )
        with closing(items):  # type: ignore[type-var]
            for item in items:
                if isinstance(item, Event):
                    if item.version == self.version:
                        self.edge = item
                        continue
                    self.passed = item
                elif not self._is_behind(item.position) or not lowest < _place(item) < highest:
                    continue
                yield item

    def onward(self, items: list[Item], last: Item | None) -> tuple[int | None, int | None]:
        """Return the edge, version and place, behind ``items``, or behind ``last`` if it is given:
        the one that was looked at last when the time was over.
        """
        events = _events(items)
        reached = self.passed if last is not None else (events[-1] if events else None)
        return (self.version if reached is None else reached.version, (last or items[-1]).position)

    def back(self, items: list[Item]) -> tuple[int, int | None]:
        """Return the edge in front of ``items``, version and place, for the way back."""
        place = items[0].position if items else None
        event = next(iter(_events(items)), None) or self._event_behind()
        if event is not None:
            return (event.version or 0, place)
        return (0 if self.descending else MAX_VERSION, place)

    def _event_behind(self) -> Event | None:
        """Return the event that is next behind the edge, where malformed ones fill a page."""
        at, store = self.version, self.scope.store
        if self.descending:
            return last_event(store, self.actor_id, None if at is None else max(at - 1, 0))
        return first_event(store, self.actor_id, (at or 0) + 1)

    def _places(self) -> tuple[float, float]:
        """Return between which positions a malformed event is within the versions asked for."""
        store, low, high = self.scope.store, self.filters.from_version, self.filters.to_version
        below = above = None
        if low > 1:
            below = last_event(store, self.actor_id, low - 1)
        if high is not None:
            above = first_event(store, self.actor_id, high + 1)
        return (_place(below) if below else -inf), (_place(above) if above else inf)

    def _is_behind(self, position: int | None) -> bool:
        if self.place is None or position is None:
            return True
        return position < self.place if self.descending else position > self.place


def _place(item: Item) -> float:
    return 0 if item.position is None else item.position


def _page(scope: Scope, actor_id: str, filters: Filters, newest_first: bool) -> Page:
    """Read the page that the address asks for."""
    after, before = scope.integer("after"), scope.integer("before")
    backwards = before is not None
    edge = before if backwards else after
    reading = _Reading(
        scope, actor_id, filters, newest_first != backwards, edge, scope.integer("place")
    )

    def keep(item: Item) -> Item | None:
        if isinstance(item, ReplayError):
            return None if filters.by_content else item
        return item if filters.fit(scope.redaction.event(item)) else None

    # One more shows whether there is a further page, and the gap in front of the last one.
    wanted = scope.options.page_size + 1
    looked: Scan[Item, Item] = scan(reading.items(), keep, scope.deadline, wanted=wanted)
    items = looked.found
    stopped = not looked.done and len(items) < wanted
    extra = items.pop() if len(items) == wanted else None
    onward = None if looked.done else reading.onward(items, looked.last if stopped else None)
    begins_at_an_end = reading.version is None and reading.place is None
    back = None if begins_at_an_end else reading.back(items)
    earlier = _earlier(reading, items, extra)
    if reading.descending:
        items.reverse()
    if backwards:
        onward, back = back, onward
    return Page(
        items,
        newest_first,
        earlier,
        onward and scope.here(after=onward[0], before=None, place=onward[1]),
        back and scope.here(before=back[0], after=None, place=back[1]),
        looked.looked_at,
        stopped,
    )


def _earlier(reading: _Reading, items: list[Item], extra: Item | None) -> Event | None:
    """Return the event in front of the oldest one of a page."""
    if not reading.descending:
        return reading.edge
    if isinstance(extra, Event):
        return extra
    if extra is None or not (events := _events(items)):
        return None
    return last_event(reading.scope.store, reading.actor_id, (events[-1].version or 1) - 1)


def _events(items: list[Item]) -> list[Event]:
    return [item for item in items if isinstance(item, Event)]


def _rows(scope: Scope, actor_id: str, page: Page, filters: Filters) -> list[Row]:
    """Return the page's lines, each event with the time since the one before it.

    A snapshot stands behind the event of its version, or in front of the next event.
    """
    snapshots: list[Snapshot] = []
    unreadable = []
    if not filters.by_content:
        found = scope.store.iter_snapshots_with_errors(actor_id, max_version=filters.to_version)
        for snapshot in found:
            if isinstance(snapshot, ReplayError):
                unreadable.append(Row("malformed", snapshot))
            elif snapshot.version >= filters.from_version:
                snapshots.append(snapshot)
    rows: list[Row] = []
    left = deque(_of_page(page, snapshots))
    previous = page.earlier
    for item in page.items:
        if isinstance(item, ReplayError):
            rows.append(Row("malformed", item))
            continue
        version = item.version or 0
        while left and left[0].version < version:
            rows.append(Row("snapshot", left.popleft()))
        gap = item.timestamp - previous.timestamp if previous else None
        shown = scope.shown(item)
        rows.append(Row("event", shown, gap, brief(shown.data) if scope.sees_payload else ""))
        if left and left[0].version == version:
            rows.append(Row("snapshot", left.popleft()))
        previous = item
    rows += [Row("snapshot", further) for further in left]
    if page.newest_first:
        rows.reverse()
    return unreadable + rows if page.previous_url is None else rows


def _of_page(page: Page, snapshots: list[Snapshot]) -> list[Snapshot]:
    """Return the snapshots that belong to a page, oldest first.

    Each belongs to one, also where the event of its version is malformed or gone.
    """
    older, newer = page.next_url, page.previous_url
    if not page.newest_first:
        older, newer = newer, older
    versions = [event.version or 0 for event in _events(page.items)]
    if not versions and (older or newer):
        return []
    low, high = 0.0, inf
    if page.earlier:
        low = page.earlier.version or 0
    elif older:
        low = versions[0] - 1
    if newer:
        high = versions[-1]
    fitting = [snapshot for snapshot in snapshots if low < snapshot.version <= high]
    return sorted(fitting, key=lambda snapshot: snapshot.version)
