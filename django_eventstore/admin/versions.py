"""Single events of an actor, found by their version."""

from __future__ import annotations

from datetime import datetime

from django.http import Http404

from ..events import Event
from ..store import EventStore
from .scope import Scope


def latest_version(scope: Scope, actor_id: str) -> int:
    """Return the actor's latest version; 404 for an unknown one.

    0: it has malformed events only, of which the store cannot tell the version.
    """
    latest = scope.store.get_latest_version(actor_id)
    if latest == 0 and next(scope.store.iter_events_with_errors(actor_id), None) is None:
        raise Http404("no such actor")
    return latest


def last_event(store: EventStore, actor_id: str, to_version: int | None) -> Event | None:
    """Return the last event up to a version, None: the latest; None if there is none."""
    found = store.get_events(actor_id, to_version=to_version, limit=1, reverse=True)
    return found[0] if found else None


def first_event(
    store: EventStore, actor_id: str, from_version: int, to_version: int | None = None
) -> Event | None:
    """Return the first event from a version on, None if there is none."""
    found = store.get_events(actor_id, from_version, to_version=to_version, limit=1)
    return found[0] if found else None


def version_at(store: EventStore, actor_id: str, latest: int, timestamp: datetime) -> int:
    """Return the version of the last event at or before ``timestamp``, 0 if none was.

    Halves the range of versions, so it reads few events of a long history; it goes by the
    timestamps growing with the versions.
    """
    low, high, found = 1, latest, 0
    while low <= high:
        middle = (low + high) // 2
        event = first_event(store, actor_id, middle, high)
        if event is not None and event.timestamp <= timestamp:
            found = event.version or 0
            low = found + 1
        else:
            high = middle - 1
    return found
