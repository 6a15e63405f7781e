"""What a timeline is filtered by, as the page's address says it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ..events import Event
from ..events.json import leaves, path_text
from .json_tree import scalar_text
from .scope import Scope

PARAMETERS: Final = (
    "type",
    "from",
    "to",
    "since",
    "since_time",
    "until",
    "until_time",
    "meta",
    "path",
)


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address asks of the events; empty means all."""

    types: tuple[str, ...] = ()
    from_version: int = 0
    to_version: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    meta: str = ""
    path: str = ""

    @property
    def by_content(self) -> bool:
        """Whether events must be read to know if they fit."""
        return bool(self.types or self.since or self.until or self.meta or self.path)

    @property
    def active(self) -> bool:
        """Whether anything is asked for."""
        return self != Filters()

    def fit(self, event: Event) -> bool:
        """Tell whether ``event``, masked as the user sees it, is wanted."""
        return (
            (not self.types or event.event_type in self.types)
            and (self.since is None or event.timestamp >= self.since)
            and (self.until is None or event.timestamp <= self.until)
            and (not self.meta or _has_metadata(event, self.meta))
            and (not self.path or _has_path(event.data, self.path))
        )


def read_filters(scope: Scope) -> Filters:
    """Return what the address asks for; 404 where it makes no sense."""
    return Filters(
        types=tuple(dict.fromkeys(filter(None, scope.request.GET.getlist("type")))),
        from_version=scope.integer("from") or 0,
        to_version=scope.integer("to"),
        since=scope.timestamp("since"),
        until=scope.timestamp("until", end=True),
        meta=scope.text("meta"),
        path=scope.text("path") if scope.sees_payload else "",
    )


def _has_metadata(event: Event, wanted: str) -> bool:
    """Tell whether the metadata has the key, or with ``key=value`` that value."""
    key, equals, value = wanted.partition("=")
    held = event.metadata.get(key.strip())
    return held is not None and (not equals or held == value.strip())


def _has_path(data: dict[str, Any], wanted: str) -> bool:
    """Tell whether ``data`` has the path, or with ``path=value`` that value, as text or JSON."""
    path, equals, value = wanted.partition("=")
    path, value = path.strip(), value.strip()
    return any(
        _path_fits(path_text(place), path)
        and (not equals or value in (str(held), scalar_text(held)))
        for place, held in leaves(data)
    )


def _path_fits(place: str, path: str) -> bool:
    return place == path or place.startswith((f"{path}.", f"{path}["))
