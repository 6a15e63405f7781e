"""Suggestions for the quick-open: where one may want to go, for what was typed so far."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from ..exceptions import InvalidEventError
from .raw_content import readable
from .scope import Scope, Visit, browsable_stores, store_label

ACTORS = 8
SECONDS = 0.5
"""How long to look for actors: the next letter that is typed goes on."""


def jump(scope: Scope) -> HttpResponse:
    """Return {"suggestions": [{"kind", "label", "url"}]} for the text in ``q``."""
    typed = scope.text("q")
    suggestions = [*_pages(scope, typed), *_stores(scope, typed)]
    if typed:
        suggestions = [*_actors(scope, typed), *suggestions, *_events(scope, typed)]
    names = ("kind", "label", "url")
    return JsonResponse(
        {"suggestions": [dict(zip(names, found, strict=True)) for found in suggestions]}
    )


Suggestion = tuple[str, str, str]


def _pages(scope: Scope, typed: str) -> list[Suggestion]:
    pages = [
        (_("Page"), _("Actors"), scope.url("actors")),
        (_("Page"), _("Search"), scope.url("search")),
        (_("Page"), _("Malformed events"), scope.url("malformed")),
        (_("Page"), _("Compare actors"), scope.url("compare")),
        (_("Page"), _("Projections and forwarding"), scope.url("consumers")),
        (_("Page"), _("Event stores"), scope.url("stores")),
    ]
    return [page for page in pages if typed.casefold() in page[1].casefold()]


def _stores(scope: Scope, typed: str) -> list[Suggestion]:
    stores, _broken = browsable_stores(scope.options)
    return [
        (_("Store"), label, Visit.url(scope, "store", store.alias, store.namespace))
        for store in stores
        if typed.casefold() in (label := store_label(store)).casefold()
    ]


def _actors(scope: Scope, typed: str) -> list[Suggestion]:
    try:
        page = scope.store.get_actors(search=typed, limit=ACTORS, time_limit=SECONDS)
        found = [actor.actor_id for actor in page]
        # The one that is named exactly comes first, wherever it stands in the order.
        if typed not in found and scope.store.get_latest_version(typed):
            found.insert(0, typed)
    except InvalidEventError:  # no actor can have such an id
        return []
    return [(_("Actor"), readable(actor_id), scope.url("actor", actor_id)) for actor_id in found]


def _events(scope: Scope, typed: str) -> list[Suggestion]:
    is_position = typed.isascii() and typed.isdecimal() and len(typed) < 20
    at = [(_("Event at position"), typed, scope.url("event", int(typed)))] if is_position else []
    return [
        *at,
        (_("Events with id"), typed, scope.url("search", id=typed)),
        (_("Events of correlation"), typed, scope.url("search", correlation=typed)),
        (_("Events of type"), typed, scope.url("search", type=typed)),
        (_("Events of user"), typed, scope.url("search", user=typed)),
    ]
