"""Malformed events: found, grouped by cause, looked at, tried again, marked as skipped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import (
    Http404,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.utils.translation import gettext as _

from ..events import Event, ReplayError
from ..models import SkippedEvent
from .access import SKIP
from .raw_content import Content, as_bytes
from .scanning import scan
from .scope import Scope, as_file

MOST_FOUND: Final = 500
LONGEST_REASON: Final = 1000


@dataclass(slots=True)
class Group:
    """Malformed events with one cause."""

    cause: str
    errors: list[ReplayError] = field(default_factory=list)

    @property
    def open(self) -> int:
        """How many are not marked as skipped."""
        return sum(error.skipped is None for error in self.errors)


def malformed(scope: Scope) -> HttpResponse:
    """Look through the store for malformed events, newest first, and group them by cause."""
    before = scope.integer("before")
    looked = scan(
        scope.store.read_all_with_errors(before=before, reverse=True),
        lambda item: item if isinstance(item, ReplayError) else None,
        scope.deadline,
        wanted=MOST_FOUND,
    )
    groups: dict[str, Group] = {}
    for error in looked.found:
        cause = scope.cause(error)
        groups.setdefault(cause, Group(cause)).errors.append(error)
    return scope.render(
        "malformed.html",
        _("Malformed events"),
        groups=sorted(groups.values(), key=lambda group: -len(group.errors)),
        looked=looked,
        reached=None if looked.done else looked.last,
        next_url=scope.further(looked),
        first_url=scope.here(before=None) if before is not None else None,
    )


def problem(scope: Scope, position: int) -> HttpResponse:
    """Show one malformed event, read anew with the current code."""
    found = scope.store.get_event_with_errors(position)
    if found is None:
        raise Http404("no event there")
    again = "again" in scope.request.GET
    if isinstance(found, Event):
        if again:
            messages.success(scope.request, _("The event can be read with the current code."))
        return HttpResponseRedirect(scope.url("event", position))
    if again:
        messages.warning(scope.request, _("The event is still malformed with the current code."))
        return HttpResponseRedirect(scope.url("problem", position))
    return scope.render(
        "problem_event.html",
        _("Malformed event at position %(position)s") % {"position": position},
        error=found,
        position=position,
        kind=type(found.error).__name__,
        content=Content.of(found.raw) if scope.sees_content(found) else None,
        hidden=scope.sees_payload and scope.redaction.hides_raw(),
        may_skip=scope.can(SKIP),
        record=SkippedEvent.objects.filter(
            store=scope.alias, namespace=scope.namespace, position=position
        ).first()
        if found.skipped is not None
        else None,
        crumbs=[*scope.crumbs, (_("Malformed events"), scope.url("malformed"))],
    )


def _find(scope: Scope, position: int) -> ReplayError:
    found = scope.store.get_event_with_errors(position)
    if not isinstance(found, ReplayError):
        raise Http404("no malformed event there")
    return found


def raw(scope: Scope, position: int) -> HttpResponse:
    """Send the raw content as a file of bytes."""
    found = _find(scope, position)
    if not scope.sees_content(found):
        raise Http404("raw content is redacted")
    name = f"malformed-{position}.bin"
    return as_file(as_bytes(found.raw), name, "application/octet-stream")


def skip(scope: Scope, position: int) -> HttpResponseBase:
    """Record that somebody marked a malformed event as skipped, and why."""
    if scope.request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    found = _find(scope, position)
    # A browser counts a line break as one character, and sends two.
    reason = scope.request.POST.get("reason", "").replace("\r\n", "\n").replace("\x00", "").strip()
    if not reason or len(reason) > LONGEST_REASON:
        messages.error(
            scope.request,
            _("Give a reason of up to %(limit)s characters.") % {"limit": LONGEST_REASON},
        )
        return HttpResponseRedirect(scope.url("problem", position))
    try:
        with transaction.atomic():
            SkippedEvent.objects.create(
                store=scope.alias,
                namespace=scope.namespace,
                position=position,
                actor_id=found.actor_id or "",
                problem=scope.reason(found).replace("\x00", "�"),
                reason=reason,
                user=scope.request.user.get_username(),
            )
    except IntegrityError:
        messages.warning(
            scope.request, _("Somebody else has already marked this event as skipped.")
        )
    else:
        messages.success(
            scope.request, _("Marked as skipped. Replays now list it as skipped, with the reason.")
        )
    return HttpResponseRedirect(scope.url("problem", position))
