"""The setting ``EVENT_STORE_ADMIN``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from ..backends.options import Options
from ..conf import event_stores
from ..events.namespaces import check_namespace
from ..exceptions import InvalidEventError


@dataclass(frozen=True, kw_only=True)
class AdminOptions(Options):
    """The options of the admin's pages.

    Attributes:
        page_size: rows on a page of a list.
        time_limit: how long a page may read on, in seconds. What was not reached by then is
            said on the page, with a link that goes on.
        chart_events: how many of the newest events a chart shows at the most.
        json_nodes: how many values of one JSON document are drawn as a tree.
        trace_url: the address of a trace elsewhere, with ``{trace_id}`` in it; perhaps
            ``{span_id}`` too.
        namespaces: store alias -> list of further namespaces that may be browsed, beside the
            store's own.
        redact: event type, perhaps with ``*`` in it -> list of paths in ``data`` that are not
            shown. A path is ``"applicant.email"``, with ``*`` for any key or place in a list, or
            a list of keys where a key holds a dot.
        redact_state: start of the actor id -> list of paths in the state that are not shown.
            What ``redact`` names is not shown in states either, under the same path.
    """

    page_size: int = 50
    time_limit: float = 2.0
    chart_events: int = 1000
    json_nodes: int = 1000
    trace_url: str = ""
    namespaces: dict[str, Any] = field(default_factory=dict)
    redact: dict[str, Any] = field(default_factory=dict)
    redact_state: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("namespaces", "redact", "redact_state"):
            for key, values in getattr(self, name).items():
                if not isinstance(key, str) or not isinstance(values, (list, tuple, set)):
                    raise ImproperlyConfigured(
                        f"{name} must map text to a list, got {key!r}: {values!r}."
                    )
        for name in ("redact", "redact_state"):
            for path in chain.from_iterable(getattr(self, name).values()):
                if not _is_path(path):
                    raise ImproperlyConfigured(
                        f'{name} must hold paths such as "applicant.email", or lists of their '
                        f"keys, got {path!r}."
                    )
        for namespace in chain.from_iterable(self.namespaces.values()):
            try:
                check_namespace(namespace)
            except InvalidEventError as error:
                raise ImproperlyConfigured(f"namespaces: {error}") from error
        try:
            self.trace_url.format(trace_id="", span_id="")
        except (KeyError, IndexError, ValueError) as error:
            raise ImproperlyConfigured(
                f"trace_url may hold {{trace_id}} and {{span_id}}, got {self.trace_url!r}."
            ) from error
        if self.trace_url and not self.trace_url.startswith(("https://", "http://", "/")):
            raise ImproperlyConfigured(
                f"trace_url must start with https://, http:// or /, got {self.trace_url!r}."
            )


def _is_path(path: object) -> bool:
    if isinstance(path, (list, tuple)):
        return bool(path) and all(type(key) in (str, int) for key in path)
    return isinstance(path, str) and path != ""


def admin_options() -> AdminOptions:
    """Return the options in force now.

    Raises:
        ImproperlyConfigured: an option is unknown or wrong.
    """
    given = getattr(settings, "EVENT_STORE_ADMIN", {})
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured(
            f"EVENT_STORE_ADMIN must be a dict of options, got {type(given).__name__}."
        )
    return AdminOptions.from_mapping(given, where="EVENT_STORE_ADMIN")


def check_admin_options(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check EVENT_STORE_ADMIN."""
    try:
        options = admin_options()
        _check_aliases(options)
    except ImproperlyConfigured as error:
        hint = 'See "The admin" in the documentation of django-eventstore.'
        return [Error(str(error), hint=hint, id="eventstore.E050")]
    return []


def _check_aliases(options: AdminOptions) -> None:
    try:
        known = list(event_stores)
    except ImproperlyConfigured:  # eventstore.E001 says so
        return
    for alias in options.namespaces:
        if alias not in known:
            raise ImproperlyConfigured(
                f"EVENT_STORE_ADMIN: namespaces names the store {alias!r}; EVENT_STORES has "
                f"{', '.join(map(repr, known))}."
            )
