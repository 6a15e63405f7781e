"""Which store a page is about, who looks at it, and how pages are guarded and rendered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.connection import ConnectionDoesNotExist
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from ..conf import event_stores
from ..events import Event, ReplayError
from ..events.json import plain
from ..events.validation import MAX_VERSION
from ..exceptions import InvalidEventError, StoreUnavailableError, UnsupportedOperation
from ..store import EventStore
from .compat import BREADCRUMBS_ARE_LISTS
from .limits import Deadline
from .options import AdminOptions, admin_options
from .redaction import Redaction, audit, cause_of, kind_of

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite

VIEW: Final = "django_eventstore.view_eventstore"
PAYLOAD: Final = "django_eventstore.view_payload"
REDACTED: Final = "django_eventstore.view_redacted"
SKIP: Final = "django_eventstore.skip_malformedevent"

NO_NAMESPACE: Final = "-"
"""The default namespace in an address; no namespace has that name."""


class Visit:
    """One request to one of the pages.

    Attributes:
        request: the request; its user may see the lists.
        site: the admin site the page belongs to.
        options: the settings in force.
    """

    def __init__(self, request: HttpRequest, site: AdminSite) -> None:
        self.request = request
        self.site = site
        self.options: AdminOptions = admin_options()

    def can(self, permission: str) -> bool:
        """Tell whether the user has a permission."""
        return self.request.user.has_perm(permission)

    @property
    def sees_payload(self) -> bool:
        """Whether data, states and raw content may be shown."""
        return self.can(PAYLOAD)

    def url(self, name: str, *args: Any, **query: Any) -> str:
        """Return the address of a page of this admin site; ``query`` leaves out None."""
        address = reverse(f"admin:eventstore_{name}", args=args, current_app=self.site.name)
        return _with_query(address, query)

    @property
    def quick_open(self) -> dict[str, str] | None:
        """The addresses that the quick-open box asks and leads to; None without a store.

        On a page about all stores it looks in the first one, and suggests the others.
        """
        for alias in event_stores:
            try:
                namespace = namespaces_of(event_stores[alias], self.options)[0]
            except (ImproperlyConfigured, InvalidEventError):  # the list of stores says so
                continue
            return self._quick_open(alias, namespace)
        return None

    def _quick_open(self, alias: str, namespace: str) -> dict[str, str]:
        return {
            name: Visit.url(self, name, alias, namespace or NO_NAMESPACE)
            for name in ("jump", "actors")
        }

    def render(
        self, template: str, title: str, *, status: int = 200, **context: Any
    ) -> TemplateResponse:
        """Return the page ``template``."""
        self.request.current_app = self.site.name
        values = {
            **self.site.each_context(self.request),
            "title": title,
            "visit": self,
            "options": self.options,
            "section": template.removesuffix(".html"),
            "breadcrumbs_are_lists": BREADCRUMBS_ARE_LISTS,
            **context,
        }
        return TemplateResponse(
            self.request, f"admin/django_eventstore/{template}", values, status=status
        )

    # -- what the address says

    def text(self, name: str) -> str:
        """Return a parameter without blanks around it, "" if absent."""
        return self.request.GET.get(name, "").strip()

    def integer(self, name: str, *, minimum: int = 0) -> int | None:
        """Return a parameter as an integer, None if absent; 404 if it is none."""
        given = self.text(name)
        return self.number(name, given, minimum=minimum) if given else None

    @staticmethod
    def number(name: str, given: str, *, minimum: int = 0) -> int:
        """Return the text of a parameter as an integer; 404 if it is none."""
        if not (given.isascii() and given.isdecimal() and len(given) < 20):
            raise Http404(f"{name} is no number")
        number = int(given)
        if not minimum <= number <= MAX_VERSION:
            raise Http404(f"{name} is out of range")
        return number

    def here(self, **changed: Any) -> str:
        """Return this page's address with some parameters changed; None removes one."""
        query = self.request.GET.copy()
        for name, value in changed.items():
            if value is None:
                query.pop(name, None)
            elif isinstance(value, (list, tuple)):
                query.setlist(name, [str(item) for item in value])
            else:
                query[name] = str(value)
        return f"{self.request.path}?{query.urlencode()}" if query else self.request.path


class Scope(Visit):
    """A visit to one store, in one namespace.

    Attributes:
        alias: the store's alias.
        namespace: the namespace.
        store: the store, in the namespace.
    """

    def __init__(self, request: HttpRequest, site: AdminSite, alias: str, namespace: str) -> None:
        super().__init__(request, site)
        self.alias = alias
        self.namespace = namespace
        self.store = _find_store(alias, namespace, self.options)
        self.deadline = Deadline(self.options.time_limit)
        self._logged: set[str] = set()

    @property
    def quick_open(self) -> dict[str, str]:
        """The addresses that the quick-open box asks and leads to."""
        return self._quick_open(self.alias, self.namespace)

    @property
    def label(self) -> str:
        """The store and its namespace, for people."""
        return f"{self.alias} / {self.namespace}" if self.namespace else self.alias

    def url(self, name: str, *args: Any, **query: Any) -> str:
        """Return the address of a page of this store, or of the list of stores."""
        if name in ("stores", "consumers"):
            return super().url(name, **query)
        return super().url(name, self.alias, self.namespace or NO_NAMESPACE, *args, **query)

    def render(
        self, template: str, title: str, *, status: int = 200, **context: Any
    ) -> TemplateResponse:
        """Return the page ``template``."""
        return super().render(
            template, title, status=status, **{"scope": self, "crumbs": (), **context}
        )

    @cached_property
    def redaction(self) -> Redaction:
        """What to mask: everything configured, unless the user asks, and may, see it (logged)."""
        return Redaction(self.options, reveal=self.reveals)

    @cached_property
    def reveals(self) -> bool:
        """Whether the user asked to see redacted values; 403 without the permission."""
        if "reveal" not in self.request.GET:
            return False
        if not self.may_reveal:
            raise PermissionDenied
        return True

    @property
    def may_reveal(self) -> bool:
        """Whether the user may see redacted values."""
        return self.sees_payload and self.can(REDACTED)

    def log_revealed(self, what: str) -> None:
        """Log that the user saw redacted values: once for each thing on a page."""
        if what in self._logged:
            return
        self._logged.add(what)
        audit.info(
            "%s viewed redacted values: %s (store %r, namespace %r)",
            self.request.user.get_username(),
            what,
            self.alias,
            self.namespace,
            extra={
                "user": self.request.user.get_username(),
                "store": self.alias,
                "namespace": self.namespace,
                "viewed": what,
            },
        )

    def shown(self, event: Event) -> Event:
        """Return ``event`` as this user may see it: no data, masked data, or all (logged)."""
        if self.reveals and self.redaction.touches_event(event):
            self.log_revealed(f"event {event.id} of actor {event.actor_id!r}")
        return self.redaction.event(event)

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

    def shown_state(self, actor_id: str, state: Any) -> Any:
        """Return an actor's state, plain, as this user may see it: masked, or all (logged)."""
        shown = plain(state)
        if self.reveals and self.redaction.touches_state(actor_id, shown):
            self.log_revealed(f"state of actor {actor_id!r}")
        return self.redaction.state(actor_id, shown)


@dataclass(frozen=True, slots=True)
class Crumb:
    """A step of the way to a page."""

    label: str
    url: str


def _with_query(address: str, query: dict[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{address}?{urlencode(given, doseq=True)}" if given else address


def namespaces_of(store: EventStore, options: AdminOptions) -> list[str]:
    """Return the namespaces of a store that may be browsed: its own, then the configured ones."""
    further = options.namespaces.get(store.alias or "", ())
    return list(dict.fromkeys([store.namespace, *further]))


def _find_store(alias: str, namespace: str, options: AdminOptions) -> EventStore:
    try:
        store: EventStore = event_stores[alias]
    except ConnectionDoesNotExist as error:
        raise Http404("no such store") from error
    if namespace not in namespaces_of(store, options):
        raise Http404("no such namespace")
    return store.with_namespace(namespace)


View = Callable[..., HttpResponseBase]


def visit_page(view: View, site: AdminSite) -> View:
    """Guard a page about all stores: 403 without the permission to see lists."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponseBase:
        if not request.user.has_perm(VIEW):
            raise PermissionDenied
        return view(Visit(request, site))

    return site.admin_view(guarded)


def store_page(view: View, site: AdminSite, *permissions: str) -> View:
    """Guard a page about one store.

    403 without the permission to see lists and ``permissions``; 404 for an unknown store or
    namespace and for what no store accepts as an argument; a page that says so, with status
    503, where the store cannot be reached or its settings are wrong, and 501 where it cannot do
    this.
    """

    @wraps(view)
    def guarded(request: HttpRequest, alias: str, namespace: str, **given: Any) -> HttpResponseBase:
        if not all(map(request.user.has_perm, (VIEW, *permissions))):
            raise PermissionDenied
        try:
            scope = Scope(request, site, alias, namespace)
        except ImproperlyConfigured as error:
            return Visit(request, site).render(
                "problem.html", _("Wrong settings"), status=503, error=error
            )
        try:
            response = view(scope, **given)
            # Rendered here: a lazy read in a template must not escape the handlers below.
            if isinstance(response, TemplateResponse):
                response.render()
        except InvalidEventError as error:
            raise Http404(str(error)) from error
        except (StoreUnavailableError, DatabaseError) as error:
            # A database that answers may still lack the tables: it was not migrated.
            return scope.render("problem.html", _("Store unavailable"), status=503, error=error)
        except UnsupportedOperation as error:
            return scope.render("problem.html", _("Not supported"), status=501, error=error)
        return response

    return site.admin_view(guarded)
