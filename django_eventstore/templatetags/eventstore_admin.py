"""What the admin's templates say often."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.template import Context
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from ..admin import raw_content
from ..admin.charts import colour, local
from ..admin.json_tree import scalar_text
from ..admin.redaction import Masked
from ..admin.scope import Scope
from ..events import ReplayError
from ..events.json import ABSENT

register = template.Library()


@register.simple_tag(takes_context=True)
def page(context: Context, name: str, *args: Any, **query: Any) -> str:
    """Return the address of a page of the store that is looked at."""
    address: str = context["visit"].url(name, *args, **query)
    return address


@register.filter
def event_type(name: str) -> SafeString:
    """Show an event type, with its colour."""
    return format_html(
        '<span class="es-type es-c{}"><span class="es-dot"></span><bdi>{}</bdi></span>',
        colour(name),
        raw_content.readable(name),
    )


@register.filter
def readable(text: Any) -> str:
    """Show an id or another name, so that something of it can be seen, and clicked."""
    return raw_content.readable(str(text))


@register.filter
def timestamp(value: datetime | None) -> SafeString | str:
    """Show a point in time in the current time zone; all of it when pointed at."""
    if value is None:
        return "—"
    shown = local(value)
    return format_html(
        # Where there is no room for a line of it, it breaks between the two and nowhere else.
        '<time datetime="{}" title="{}"><span>{}</span> <span>{}</span></time>',
        value.isoformat(),
        shown.isoformat(),
        date_format(shown, "Y-m-d"),
        date_format(shown, "H:i:s"),
    )


@register.filter
def day(value: datetime) -> str:
    """Show the day of a point in time in the current time zone."""
    return date_format(local(value), "Y-m-d")


_UNITS = (
    (gettext_lazy("%s y"), 31_557_600.0),
    (gettext_lazy("%s d"), 86_400.0),
    ("%s h", 3600.0),
    ("%s min", 60.0),
    ("%s s", 1.0),
)


@register.filter
def gap(value: timedelta | None) -> str:
    """Show a length of time in its largest unit, in the language's way."""
    if value is None:
        return ""
    seconds = value.total_seconds()
    sign, seconds = ("\N{MINUS SIGN}", -seconds) if seconds < 0 else ("+", seconds)
    for unit, size in _UNITS:
        if seconds >= size:
            digits = 0 if seconds >= 10 * size else 1
            # number_format() cuts digits off.
            return sign + unit % number_format(round(seconds / size, digits), digits)
    return f"{sign}{seconds * 1000:.0f} ms"


@register.filter
def value(item: Any) -> SafeString | str:
    """Show a scalar of a state as JSON."""
    if item is ABSENT:
        return "—"
    if isinstance(item, Masked):
        return format_html('<span class="es-masked">{}</span>', item)
    text = scalar_text(item)
    return text if len(text) <= 500 else f"{text[:499]}…"


@register.filter
def count(number: int | None) -> str:
    """Show a number of things in the language's way, a dash where it is unknown."""
    return "—" if number is None else number_format(number, force_grouping=True)


@register.filter
def svg(number: float) -> str:
    """Show a coordinate, with a point whatever the language."""
    return f"{float(number):.2f}"


@register.filter
def split(words: str) -> list[str]:
    """Return the words."""
    return words.split()


@register.filter
def here(scope: Scope, version: int) -> str:
    """Return the address of this page at another version."""
    return scope.here(version=version, at=None)


@register.filter
def failure(scope: Scope, error: Exception) -> str:
    """Show why a fold failed."""
    return scope.failure(error)


@register.filter
def reason(scope: Scope, error: ReplayError) -> str:
    """Show why an event is malformed."""
    return scope.reason(error)
