"""Who may see what.

Staff is not permission. Some pages ask for a permission of their own (PAGES); a page about lists
that shows payloads as well leaves them out for who may not see them (Access).

| permission | what it lets somebody see or do |
|---|---|
| VIEW | any page at all: lists, and everything of an event but its data |
| PAYLOAD | data of events, states, raw content, errors that quote them |
| REDACTED | what the settings redact, where it is asked for (with PAYLOAD); each view is logged |
| SKIP | mark malformed events as skipped |
"""

from __future__ import annotations

import logging
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.functional import cached_property

from ..events import Event, ReplayError
from ..events.json import plain
from .options import admin_options
from .redaction import Redaction, cause_of, kind_of

VIEW: Final = "django_eventstore.view_eventstore"
PAYLOAD: Final = "django_eventstore.view_payload"
REDACTED: Final = "django_eventstore.view_redacted"
SKIP: Final = "django_eventstore.skip_malformedevent"

PAGES: Final = {
    **dict.fromkeys(("state", "blame", "field", "event_raw", "problem_raw", "export"), PAYLOAD),
    "skip": SKIP,
}
"""Page, as `urls.py` names it -> the permission that it asks for beside VIEW."""

_audit = logging.getLogger("django_eventstore.audit")


def check_access(request: HttpRequest, page: str) -> None:
    """Raise PermissionDenied unless the user may open a page."""
    if not request.user.has_perms({VIEW, PAGES.get(page, VIEW)}):
        raise PermissionDenied


class Access:
    """What the user of a request may see, of one store.

    Args:
        request: the request.
        alias: the store; "" on a page about all.
        namespace: its namespace.
    """

    def __init__(self, request: HttpRequest, alias: str = "", namespace: str = "") -> None:
        self.request = request
        self.options = admin_options()
        self.alias = alias
        self.namespace = namespace
        self._logged: set[str] = set()

    def can(self, permission: str) -> bool:
        """Tell whether the user has a permission."""
        return self.request.user.has_perm(permission)

    @property
    def sees_payload(self) -> bool:
        """Whether data, states and raw content may be shown."""
        return self.can(PAYLOAD)

    @property
    def may_reveal(self) -> bool:
        """Whether the user may see redacted values."""
        return self.sees_payload and self.can(REDACTED)

    @cached_property
    def reveals(self) -> bool:
        """Whether the user asked to see redacted values; 403 without the permission."""
        if "reveal" not in self.request.GET:
            return False
        if not self.may_reveal:
            raise PermissionDenied
        return True

    @cached_property
    def redaction(self) -> Redaction:
        """What to mask: everything configured, unless the user asks, and may, see it (logged)."""
        return Redaction(self.options, reveal=self.reveals)

    def log_revealed(self, what: str) -> None:
        """Log that the user saw redacted values: once for each thing on a page."""
        if what in self._logged:
            return
        self._logged.add(what)
        user = self.request.user.get_username()
        _audit.info(
            "%s viewed redacted values: %s (store %r, namespace %r)",
            user,
            what,
            self.alias,
            self.namespace,
            extra={"user": user, "store": self.alias, "namespace": self.namespace, "viewed": what},
        )

    def shown(self, event: Event) -> Event:
        """Return ``event`` for who ``sees_payload``: masked, or all of it (logged)."""
        if self.reveals and self.redaction.touches_event(event):
            self.log_revealed(f"event {event.id} of actor {event.actor_id!r}")
        return self.redaction.event(event)

    def shown_state(self, actor_id: str, state: Any) -> Any:
        """Return an actor's state, plain, as this user may see it: masked, or all (logged)."""
        shown = plain(state)
        if self.reveals and self.redaction.touches_state(actor_id, shown):
            self.log_revealed(f"state of actor {actor_id!r}")
        return self.redaction.state(actor_id, shown)

    def sees_raw(self, what: str) -> bool:
        """Tell whether the user may see what redacted values may be quoted in (then logged)."""
        if not self.sees_payload or self.redaction.hides_raw():
            return False
        if self.redaction.configured:
            self.log_revealed(what)
        return True

    def sees_content(self, error: ReplayError) -> bool:
        """Tell whether the user may see the content of a malformed event (then logged)."""
        return self.sees_raw(f"malformed event at position {error.position}")

    def reason(self, error: ReplayError) -> str:
        """Return why an event is malformed; for who may not see its content, the kind alone."""
        return str(error.error) if self.sees_content(error) else kind_of(error)

    def cause(self, error: ReplayError) -> str:
        """Return what it has in common with others; for who may not see it, the kind alone."""
        return cause_of(error) if self.sees_content(error) else kind_of(error)

    def failure(self, error: Exception) -> str:
        """Return why a fold failed; where something is redacted, not in its own words."""
        kind = type(error).__name__
        seen = self.sees_raw(f"why a fold failed, at {self.request.path}")
        return f"{kind}: {error}" if seen else kind
