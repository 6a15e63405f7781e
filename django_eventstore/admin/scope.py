"""Which store a page is about, what its address says, and how pages are guarded and rendered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.connection import ConnectionDoesNotExist
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from ..conf import event_stores
from ..events.validation import MAX_VERSION
from ..exceptions import InvalidEventError, StoreUnavailableError, UnsupportedOperation
from ..store import EventStore
from .access import Access, check_access
from .compat import BREADCRUMBS_ARE_LISTS
from .options import AdminOptions
from .scanning import Deadline, Scan

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite

Crumb = tuple[str, str]
"""A step of the way to a page: its label and its address."""


class Visit(Access):
    """One request to one of the pages.

    Attributes:
        site: the admin site the page belongs to.
    """

    def __init__(
        self, request: HttpRequest, site: AdminSite, alias: str = "", namespace: str = ""
    ) -> None:
        super().__init__(request, alias, namespace)
        self.site = site

    def url(self, name: str, *args: Any, **query: Any) -> str:
        """Return the address of a page of this admin site; ``query`` leaves out None and ""."""
        given = {name: value for name, value in query.items() if value not in (None, "")}
        return reverse(
            f"admin:eventstore_{name}", args=args, current_app=self.site.name, query=given
        )

    @property
    def quick_open(self) -> dict[str, str] | None:
        """The addresses that the quick-open box asks and leads to; None without a store.

        On a page about all stores it looks in the first one, and suggests the others.
        """
        stores, _broken = browsable_stores(self.options)
        return self._quick_open(stores[0].alias or "", stores[0].namespace) if stores else None

    def _quick_open(self, alias: str, namespace: str) -> dict[str, str]:
        return {name: Visit.url(self, name, alias, namespace) for name in ("jump", "actors")}

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

    def integer(self, name: str) -> int | None:
        """Return a parameter as an integer, None if absent; 404 if it is none."""
        given = self.text(name)
        return self.number(name, given) if given else None

    @staticmethod
    def number(name: str, given: str) -> int:
        """Return the text of a parameter as an integer; 404 if it is none."""
        if not (given.isascii() and given.isdecimal() and len(given) < 20):
            raise Http404(f"{name} is no number")
        if int(given) > MAX_VERSION:
            raise Http404(f"{name} is out of range")
        return int(given)

    def timestamp(self, name: str, *, end: bool = False) -> datetime | None:
        """Return a parameter as a point in time, in the current time zone unless it names one.

        A date alone is its start, or its ``end``. The form's field for the time of day has a
        parameter of its own, ``<name>_time``; without a date it is today's.
        """
        given, clock = self.text(name), self.text(f"{name}_time")
        if not given and not clock:
            return None
        if clock:
            given = f"{given or timezone.localdate().isoformat()}T{clock}"
        try:
            parsed = parse_datetime(given)
            if parsed is None and (day := parse_date(given)):
                parsed = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - made aware below
            if parsed is not None and len(given) == 10 and end:
                parsed += timedelta(days=1) - timedelta(microseconds=1)
            if parsed is None:
                raise Http404(f"{name} is no date or time")
            aware = parsed if timezone.is_aware(parsed) else timezone.make_aware(parsed)
            # At the ends of the calendar a time exists in one zone and not in another.
            timezone.localtime(aware.astimezone(UTC))
        except (ValueError, OverflowError) as error:
            raise Http404(f"{name} is no date or time") from error
        return aware

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
        store: the store, in the namespace.
        deadline: when the page must have read enough.
    """

    def __init__(self, request: HttpRequest, site: AdminSite, alias: str, namespace: str) -> None:
        super().__init__(request, site, alias, namespace)
        self.store = _find_store(alias, namespace, self.options)
        self.deadline = Deadline(self.options.time_limit)

    @property
    def quick_open(self) -> dict[str, str]:
        """The addresses that the quick-open box asks and leads to."""
        return self._quick_open(self.alias, self.namespace)

    @property
    def label(self) -> str:
        """The store and its namespace, for people."""
        return store_label(self.store)

    @property
    def crumbs(self) -> list[Crumb]:
        """The way to the pages of this store."""
        return [(self.label, self.url("store"))]

    def actor_crumbs(self, actor_id: str | None = None) -> list[Crumb]:
        """Return the way to an actor, and through it if it is given."""
        actor = [(actor_id, self.url("actor", actor_id))] if actor_id is not None else []
        return [*self.crumbs, (_("Actors"), self.url("actors")), *actor]

    def further(self, looked: Scan[Any, Any]) -> str | None:
        """Return the address that looks on where a look stopped, None if it looked at all."""
        position = looked.last.position if looked.last and not looked.done else None
        return None if position is None else self.here(before=position)

    def url(self, name: str, *args: Any, **query: Any) -> str:
        """Return the address of a page of this store, or of the list of stores."""
        if name in ("stores", "consumers"):
            return super().url(name, **query)
        return super().url(name, self.alias, self.namespace, *args, **query)

    def render(
        self, template: str, title: str, *, status: int = 200, **context: Any
    ) -> TemplateResponse:
        """Return the page ``template``."""
        values = {"scope": self, "crumbs": self.crumbs, **context}
        return super().render(template, title, status=status, **values)

    def problem(self, title: str, error: Exception, *, status: int) -> TemplateResponse:
        """Return the page that says why there is no other."""
        return self.render("problem.html", title, status=status, error=error, crumbs=())


def as_file(content: str | bytes, name: str, content_type: str) -> HttpResponse:
    """Return a response that a browser saves as a file."""
    disposition = f'attachment; filename="{name}"'
    return HttpResponse(
        content, content_type=content_type, headers={"Content-Disposition": disposition}
    )


def store_label(store: EventStore) -> str:
    """Return a store and its namespace, for people."""
    return f"{store.alias} / {store.namespace}" if store.namespace else str(store.alias)


def browsable_stores(options: AdminOptions) -> tuple[list[EventStore], list[tuple[str, Exception]]]:
    """Return each store in each namespace that may be browsed, and (alias, error) of the others.

    These have wrong settings.
    """
    stores: list[EventStore] = []
    broken: list[tuple[str, Exception]] = []
    for alias in event_stores:
        try:
            store: EventStore = event_stores[alias]
            stores += map(store.with_namespace, _namespaces(store, options))
        except (ImproperlyConfigured, InvalidEventError) as error:
            broken.append((alias, error))
    return stores, broken


def _namespaces(store: EventStore, options: AdminOptions) -> list[str]:
    """Return the namespaces of a store that may be browsed: its own, then the configured ones."""
    further = options.namespaces.get(store.alias or "", ())
    return list(dict.fromkeys([store.namespace, *further]))


def _find_store(alias: str, namespace: str, options: AdminOptions) -> EventStore:
    try:
        store: EventStore = event_stores[alias]
    except ConnectionDoesNotExist as error:
        raise Http404("no such store") from error
    if namespace not in _namespaces(store, options):
        raise Http404("no such namespace")
    return store.with_namespace(namespace)


View = Callable[..., HttpResponseBase]


def visit_page(view: View, site: AdminSite, page: str) -> View:
    """Guard a page about all stores: 403 for who may not open it."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponseBase:
        check_access(request, page)
        return view(Visit(request, site))

    return site.admin_view(guarded)


def store_page(view: View, site: AdminSite, page: str) -> View:
    """Guard a page about one store.

    403 for who may not open it; 404 for an unknown store or namespace and for what no store
    accepts as an argument; a page that says so, with status 503, where the store cannot be
    reached or its settings are wrong, and 501 where it cannot do this.
    """

    @wraps(view)
    def guarded(request: HttpRequest, alias: str, namespace: str, **given: Any) -> HttpResponseBase:
        check_access(request, page)
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
            return scope.problem(_("Store unavailable"), error, status=503)
        except UnsupportedOperation as error:
            return scope.problem(_("Not supported"), error, status=501)
        return response

    return site.admin_view(guarded)
