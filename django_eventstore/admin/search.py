"""Search the whole store: by event id, correlation, user, type and time, in bounded time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from django.http import HttpResponse
from django.utils.translation import gettext as _

from ..events import Event, ReplayError
from ..store import EventStore
from .json_tree import brief
from .scanning import Scan, scan
from .scope import Scope

WINDOW: Final = 100_000
"""How many positions a database looks through at first before the time is looked at."""

QUICK: Final = 0.1
SLOW: Final = 0.4
"""Seconds for a window: after a quicker one the next is wider, after a slower one narrower."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Says that everything down to a position was looked through."""

    position: int


Item: TypeAlias = Event | ReplayError | Passed


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for; empty means anything."""

    event_id: str = ""
    correlation_id: str = ""
    user_id: str = ""
    event_type: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_for_the_store(self) -> bool:
        """Whether a store with an index of ids has to look through all events for it."""
        return not self.correlation_id and bool(self.event_type or self.since or self.until)

    def wanted(self, item: Item) -> Event | None:
        """Keep an event that all of it fits."""
        if not isinstance(item, Event):
            return None
        fits = (
            (not self.event_id or item.id == self.event_id)
            and (not self.correlation_id or item.correlation_id == self.correlation_id)
            and (not self.user_id or item.user_id == self.user_id)
            and (not self.event_type or item.event_type == self.event_type)
            and (self.since is None or item.timestamp >= self.since)
            and (self.until is None or item.timestamp <= self.until)
        )
        return item if fits else None


def search(scope: Scope) -> HttpResponse:
    """Search, newest first; where the time is over, say how far it looked and offer to go on."""
    query = Query(
        scope.text("id"),
        scope.text("correlation"),
        scope.text("user"),
        scope.text("type"),
        scope.timestamp("since"),
        scope.timestamp("until", end=True),
    )
    looked = _search(scope, query) if query != Query() else None
    reached = looked.last if looked and not looked.done else None
    if isinstance(reached, Passed):
        reached = _newest(scope.store, reached.position)
    return scope.render(
        "search.html",
        _("Search"),
        query=query,
        rows=[
            (event, brief(scope.shown(event).data, 80) if scope.sees_payload else "")
            for event in (looked.found if looked else ())
        ],
        looked=looked,
        reached=reached,
        next_url=scope.further(looked) if looked else None,
        first_url=scope.here(before=None) if scope.text("before") else None,
    )


def _search(scope: Scope, query: Query) -> Scan[Item, Event]:
    store = scope.store
    lookup = store.backend.supports_lookup
    if query.event_id and lookup:
        event = store.get_event_by_id(query.event_id)
        found = [event] if event and query.wanted(event) else []
        return Scan(found, len(found), event, done=True)
    before = scope.integer("before")
    by_windows = lookup and query.is_for_the_store
    items: Iterator[Item] = (
        _windows(store, query, before)
        if by_windows
        else store.read_all_with_errors(
            before=before,
            reverse=True,
            # Elsewhere each event is looked at here, so that the time can be watched.
            correlation_id=(query.correlation_id or None) if lookup else None,
        )
    )
    looked = scan(items, query.wanted, scope.deadline, wanted=scope.options.page_size)
    if by_windows:
        # The database looked through the others, however many they are.
        looked.looked_at = len(looked.found)
    return looked


def _windows(store: EventStore, query: Query, before: int | None) -> Iterator[Item]:
    """Yield what fits the type and the times, newest first, and after each window a Passed.

    No index helps a database with these, so one question for them all may take for ever. A window
    is some width of positions; how many events that are is the store's own affair, so the width
    goes by the time that a window takes.
    """
    width = WINDOW
    while (newest := _newest(store, before)) is not None:
        top = newest.position or 0
        lowest = max(top - width, 0) + 1
        started = time.monotonic()
        yield from store.read_all_with_errors(
            lowest - 1,
            before=top + 1,
            reverse=True,
            event_types=[query.event_type] if query.event_type else None,
            since=query.since,
            until=query.until,
        )
        took = time.monotonic() - started
        if took < QUICK:
            width *= 2
        elif took > SLOW:
            width = max(width // 2, 1)
        before = lowest
        yield Passed(lowest)


def _newest(store: EventStore, before: int | None) -> Event | ReplayError | None:
    """Return the newest event in front of a position, None if there is none."""
    return next(store.read_all_with_errors(before=before, reverse=True, limit=1), None)
