"""JSON for people: a nested list that opens and closes, and indented text."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..events.json import Path
from .redaction import Masked

LARGEST_INLINE: Final = 100_000
"""JSON text longer than this, in characters, is no part of a page but offered as a file."""

LONGEST_TEXT: Final = 2000
OPEN_DEPTH: Final = 3
OPEN_CHILDREN: Final = 30
DEEPEST: Final = 40
"""What is nested deeper is shown as text; a tree of that depth could not be read."""


def indented(value: Any) -> str:
    """Return ``value`` as indented JSON text, everything in it, in its own order."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def tree(value: Any, *, limit: int, marked: Collection[Path] = ()) -> SafeString:
    """Return ``value`` as nested HTML lists.

    Args:
        value: plain JSON; what is masked is shown as such.
        limit: how many values are drawn; the rest is counted.
        marked: paths of leaves to mark as changed.
    """
    if not _has_children(value):
        return format_html('<ul class="es-json"><li>{}</li></ul>', _scalar(value))
    return format_html(
        '<ul class="es-json">{}</ul>', _Tree(limit, frozenset(marked)).children(value, ())
    )


def _has_children(value: Any) -> bool:
    return isinstance(value, (dict, list)) and bool(value)


class _Tree:
    def __init__(self, limit: int, marked: frozenset[Path]) -> None:
        self.left = limit
        self.marked = marked

    def children(self, value: dict[str, Any] | list[Any], path: Path) -> SafeString:
        return format_html_join("", "{}", ((item,) for item in self._items(value, path)))

    def _items(self, value: dict[str, Any] | list[Any], path: Path) -> Iterator[SafeString]:
        pairs: Iterable[tuple[Any, Any]] = (
            value.items() if isinstance(value, dict) else enumerate(value)
        )
        for drawn, (key, child) in enumerate(pairs):
            if self.left <= 0:
                rest = len(value) - drawn
                yield format_html(
                    '<li class="es-more">{}</li>',
                    ngettext("%d more value", "%d more values", rest) % rest,
                )
                return
            self.left -= 1
            yield self._item(key, child, (*path, key))

    def _item(self, key: str | int, child: Any, path: Path) -> SafeString:
        name = format_html('<span class="es-key">{}</span>', key)
        if _has_children(child) and len(path) <= DEEPEST:
            brackets = "{}" if isinstance(child, dict) else "[]"
            is_open = len(path) < OPEN_DEPTH and len(child) <= OPEN_CHILDREN
            return format_html(
                "<li><details{}><summary>{} "
                '<span class="es-count">{}{}{}</span></summary><ul>{}</ul></details></li>',
                " open" if is_open else "",
                name,
                brackets[0],
                len(child),
                brackets[1],
                self.children(child, path),
            )
        shown = _scalar(json.dumps(child) if _has_children(child) else child)
        if path in self.marked:
            return format_html('<li class="es-changed">{} {}</li>', name, shown)
        return format_html("<li>{} {}</li>", name, shown)


def _scalar(value: Any) -> SafeString:
    if isinstance(value, Masked):
        return format_html('<span class="es-masked" title="{}">{}</span>', _("Redacted"), value)
    if isinstance(value, str):
        if len(value) <= LONGEST_TEXT:
            return format_html('<span class="es-text">{}</span>', scalar_text(value))
        return format_html(
            '<span class="es-text">{}</span> <span class="es-more">{}</span>',
            scalar_text(value[:LONGEST_TEXT]),
            _("… of %(length)s characters in all")
            % {"length": number_format(len(value), force_grouping=True)},
        )
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    kind = "es-number" if is_number else "es-word"
    return format_html('<span class="{}">{}</span>', kind, scalar_text(value))


def scalar_text(value: Any) -> str:
    """Return a scalar or empty container as JSON text."""
    if isinstance(value, Masked):
        return value
    return json.dumps(value, ensure_ascii=False)


def brief(data: dict[str, Any], length: int = 120) -> str:
    """Return the first keys and values of ``data`` in one line of about ``length`` characters."""
    parts: list[str] = []
    taken = 0
    for key, value in data.items():
        if taken > length:
            return " · ".join([*parts, "…"])
        part = f"{key}: {_brief(value)}"
        parts.append(part)
        taken += len(part) + 3
    return " · ".join(parts)


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return "{…}" if value else "{}"
    if isinstance(value, list):
        return f"[{len(value)}]"
    text = value if isinstance(value, str) else scalar_text(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
