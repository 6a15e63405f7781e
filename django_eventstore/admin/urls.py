"""The pages' addresses; any text is one path segment in them."""

from __future__ import annotations

import re
from typing import Final

from django.contrib.admin import AdminSite
from django.urls import URLPattern, path, register_converter

from . import (
    actors,
    blame,
    compare,
    consumers,
    event,
    export,
    jump,
    malformed,
    search,
    state,
    stores,
    timeline,
)
from .scope import View, store_page, visit_page

_SAFE: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
_ESCAPED = re.compile(rb"_([0-9A-F]{2})")


class TextConverter:
    """Any text, with ``_2F`` for a slash and so on.

    Percent signs would not do: servers and browsers undo them, and take dots and slashes for
    steps of the path.
    """

    regex = r"(?:[A-Za-z0-9-]|_[0-9A-F]{2})+"

    def to_python(self, value: str) -> str:
        return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), value.encode()).decode()

    def to_url(self, value: str) -> str:
        return "".join(chr(b) if b in _SAFE else f"_{b:02X}" for b in value.encode())


class NamespaceConverter(TextConverter):
    """A namespace; the default one, the empty text, is ``-``: no namespace has that name."""

    def to_python(self, value: str) -> str:
        return "" if value == "-" else super().to_python(value)

    def to_url(self, value: str) -> str:
        return super().to_url(value) or "-"


register_converter(TextConverter, "eventstore_text")
register_converter(NamespaceConverter, "eventstore_namespace")

_STORE: Final = "<eventstore_text:alias>/<eventstore_namespace:namespace>/"
_ACTOR: Final = f"{_STORE}actors/<eventstore_text:actor_id>/"
_EVENT: Final = f"{_STORE}events/<int:position>/"
_MALFORMED: Final = f"{_STORE}malformed/<int:position>/"


def addresses(site: AdminSite) -> list[URLPattern]:
    """Return the URL patterns of all pages, on an admin site."""
    every_store = visit_page(stores.stores, site, "stores")
    pages: list[tuple[str, View, str]] = [
        (_STORE, stores.store, "store"),
        (f"{_STORE}cache/", stores.check_cache, "check_cache"),
        (f"{_STORE}actors/", actors.actors, "actors"),
        (f"{_STORE}export/", export.export, "export"),
        (_ACTOR, timeline.timeline, "actor"),
        (f"{_ACTOR}state/", state.state, "state"),
        (f"{_ACTOR}blame/", blame.blame, "blame"),
        (f"{_ACTOR}field/", blame.history, "field"),
        (_EVENT, event.event, "event"),
        (f"{_EVENT}raw/", event.raw, "event_raw"),
        (f"{_STORE}compare/", compare.compare, "compare"),
        (f"{_STORE}search/", search.search, "search"),
        (f"{_STORE}jump/", jump.jump, "jump"),
        (f"{_STORE}malformed/", malformed.malformed, "malformed"),
        (_MALFORMED, malformed.problem, "problem"),
        (f"{_MALFORMED}raw/", malformed.raw, "problem_raw"),
        (f"{_MALFORMED}skip/", malformed.skip, "skip"),
    ]
    return [
        path("", every_store, name="django_eventstore_eventstore_changelist"),
        path("", every_store, name="eventstore_stores"),
        path(
            "consumers/",
            visit_page(consumers.consumers, site, "consumers"),
            name="eventstore_consumers",
        ),
        *(
            path(route, store_page(view, site, name), name=f"eventstore_{name}")
            for route, view, name in pages
        ),
    ]
