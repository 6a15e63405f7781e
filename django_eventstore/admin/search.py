"""Search the whole store: by event id, correlation, user, type and time, in bounded time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.utils.translation import gettext as _

from ..events import Event
from ..replay import ReplayError
from .filters import moment
from .json_tree import brief
from .limits import Scan, scan
from .scope import Crumb, Scope


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
    def asks(self) -> bool:
        """Whether anything is searched for."""
        return bool(
            self.event_id
            or self.correlation_id
            or self.user_id
            or self.event_type
            or self.since
            or self.until
        )

    def fits(self, item: Event | ReplayError) -> bool:
        """Tell whether an event is wanted."""
        return (
            isinstance(item, Event)
            and (not self.event_id or item.id == self.event_id)
            and (not self.correlation_id or item.correlation_id == self.correlation_id)
            and (not self.user_id or item.user_id == self.user_id)
            and (not self.event_type or item.event_type == self.event_type)
            and (self.since is None or item.timestamp >= self.since)
            and (self.until is None or item.timestamp <= self.until)
        )


def search(scope: Scope) -> HttpResponse:
    """Search, newest first; where the time is over, say how far it looked and offer to go on."""
    query = Query(
        scope.text("id"),
        scope.text("correlation"),
        scope.text("user"),
        scope.text("type"),
        moment(scope, "since"),
        moment(scope, "until", end=True),
    )
    looked = _search(scope, query) if query.asks else None
    found = [item for item in looked.found if isinstance(item, Event)] if looked else []
    last = looked.last.position if looked and looked.last else None
    return scope.render(
        "search.html",
        _("Search"),
        query=query,
        rows=[
            (event, brief(scope.shown(event).data, 80) if scope.sees_payload else "")
            for event in found
        ],
        looked=looked,
        reached=looked.last if looked and not looked.done else None,
        next_url=scope.here(before=last) if looked and not looked.done and last else None,
        first_url=scope.here(before=None) if scope.text("before") else None,
        crumbs=[Crumb(scope.label, scope.url("store"))],
    )


def _search(scope: Scope, query: Query) -> Scan[Event | ReplayError]:
    store = scope.store
    if query.event_id and store.supports_lookup:
        event = store.get_event_by_id(query.event_id)
        found: list[Event | ReplayError] = [event] if event and query.fits(event) else []
        return Scan(found, len(found), event, done=True)
    return scan(
        _candidates(scope, query), query.fits, scope.deadline, wanted=scope.options.page_size
    )


def _candidates(scope: Scope, query: Query) -> Iterator[Event | ReplayError]:
    before = scope.integer("before")
    if not scope.store.supports_lookup:
        # Each event is looked at here, so that the time can be watched.
        return scope.store.read_all_with_errors(before=before, reverse=True)
    return scope.store.read_all_with_errors(
        before=before,
        reverse=True,
        event_types=[query.event_type] if query.event_type else None,
        correlation_id=query.correlation_id or None,
        since=query.since,
        until=query.until,
    )
