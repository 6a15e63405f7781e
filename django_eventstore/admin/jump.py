"""Suggestions for the quick-open: where one may want to go, for what was typed so far."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from ..conf import event_stores
from ..exceptions import InvalidEventError
from .raw_content import readable
from .scope import NO_NAMESPACE, Scope, namespaces_of

ACTORS = 8
SECONDS = 0.5
"""How long to look for actors: the next letter that is typed goes on."""


def jump(scope: Scope) -> HttpResponse:
    """Return {"suggestions": [{"kind", "label", "url"}]} for the text in ``q``."""
    typed = scope.text("q")
    suggestions = [*_pages(scope, typed), *_stores(scope, typed)]
    if typed:
        suggestions = [*_actors(scope, typed), *suggestions, *_events(scope, typed)]
    return JsonResponse(
        {
            "suggestions": [
                {"kind": kind, "label": label, "url": url} for kind, label, url in suggestions
            ]
        }
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
    found = []
    for alias in event_stores:
        try:
            namespaces = namespaces_of(event_stores[alias], scope.options)
        except (ImproperlyConfigured, InvalidEventError):  # the list of stores says what is wrong
            continue
        for namespace in namespaces:
            label = f"{alias} / {namespace}" if namespace else alias
            if typed.casefold() in label.casefold():
                found.append((_("Store"), label, _store_url(scope, alias, namespace)))
    return found


def _store_url(scope: Scope, alias: str, namespace: str) -> str:
    return super(Scope, scope).url("store", alias, namespace or NO_NAMESPACE)


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
    suggestions = []
    if typed.isascii() and typed.isdecimal() and len(typed) < 20:
        suggestions.append((_("Event at position"), typed, scope.url("event", int(typed))))
    suggestions.append((_("Events with id"), typed, scope.url("search", id=typed)))
    suggestions.append((_("Events of correlation"), typed, scope.url("search", correlation=typed)))
    suggestions.append((_("Events of type"), typed, scope.url("search", type=typed)))
    suggestions.append((_("Events of user"), typed, scope.url("search", user=typed)))
    return suggestions
