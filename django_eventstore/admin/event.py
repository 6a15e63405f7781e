"""One event: everything of it, its neighbours, its causes and effects, and a test made of it."""

from __future__ import annotations

import json
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseRedirect

from ..events import Event, ReplayError
from .json_tree import LARGEST_INLINE, indented, tree
from .related import related
from .scope import Scope, as_file
from .test_code import as_test
from .versions import first_event, last_event


def event(scope: Scope, position: int) -> HttpResponse:
    """Show one event."""
    found = scope.store.get_event_with_errors(position)
    if found is None:
        raise Http404("no event there")
    if isinstance(found, ReplayError):
        return HttpResponseRedirect(scope.url("problem", position))
    shown = scope.shown(found)
    version = found.version or 1
    payload: dict[str, Any] = {}
    if scope.sees_payload:
        text = indented(shown.to_dict())
        payload = {
            "tree": tree(shown.data, limit=scope.options.json_nodes),
            "raw": text if len(text) <= LARGEST_INLINE else None,
            "size": len(json.dumps(shown.data, ensure_ascii=False).encode()),
            "test": as_test(scope, shown),
        }
    return scope.render(
        "event.html",
        found.event_type,
        event=shown,
        previous=last_event(scope.store, found.actor_id, version - 1),
        next=first_event(scope.store, found.actor_id, version + 1),
        related=related(scope, found),
        trace_url=_trace_url(scope, found),
        redacted=scope.redaction.touches_event(found),
        crumbs=scope.actor_crumbs(found.actor_id),
        **payload,
    )


def raw(scope: Scope, position: int) -> HttpResponse:
    """Send the event's JSON as a file."""
    found = scope.store.get_event(position)
    if found is None:
        raise Http404("no event there")
    text = indented(scope.shown(found).to_dict())
    return as_file(text, f"event-{position}.json", "application/json")


def _trace_url(scope: Scope, found: Event) -> str | None:
    if not (scope.options.trace_url and found.trace_id):
        return None
    # Ids of traces are hexadecimal; whatever else is there must not become an address.
    ids = {"trace_id": found.trace_id, "span_id": found.span_id or ""}
    if not all(value.isalnum() or value == "" for value in ids.values()):
        return None
    return scope.options.trace_url.format(**ids)
