"""What must not be shown: values at configured paths, masked before anything else sees them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import reduce
from typing import Any

from ..events import Event, ReplayError
from ..exceptions import InvalidEventError
from .options import AdminOptions

Path = Sequence[str]


class Masked(str):
    """Stands in the place of a value that is not shown."""

    __slots__ = ()


MASK = Masked("•••")


class Redaction:
    """Masks the data of events, and states, as the options say.

    Args:
        options: which paths.
        reveal: show everything; the caller has asked for the permission and logs the view.
    """

    def __init__(self, options: AdminOptions, *, reveal: bool = False) -> None:
        self.reveal = reveal
        self.configured = bool(options.redact or options.redact_state)
        self._events = _rules(options.redact)
        self._states = _rules(options.redact_state)

    def hides_raw(self) -> bool:
        """Tell whether raw content, in which no path can be found, must stay hidden."""
        return self.configured and not self.reveal

    def event(self, event: Event) -> Event:
        """Return ``event`` with masked data."""
        masked = event.data if self.reveal else self._masked_data(event)
        return event if masked is event.data else replace(event, data=masked)

    def state(self, actor_id: str, state: Any) -> Any:
        """Return the plain ``state`` of the actor, masked."""
        return state if self.reveal else self._masked_state(actor_id, state)

    def touches_event(self, event: Event) -> bool:
        """Tell whether ``event.data`` has a value at one of the paths."""
        return self._masked_data(event) is not event.data

    def touches_state(self, actor_id: str, state: Any) -> bool:
        """Tell whether the plain ``state`` has a value at one of the paths."""
        return self._masked_state(actor_id, state) is not state

    def _masked_data(self, event: Event) -> Any:
        fitting = (path for pattern, path in self._events if fnmatchcase(event.event_type, pattern))
        return reduce(_mask, fitting, event.data)

    def _masked_state(self, actor_id: str, state: Any) -> Any:
        own = [path for prefix, path in self._states if actor_id.startswith(prefix)]
        return reduce(_mask, own + [path for _pattern, path in self._events], state)


def _rules(configured: dict[str, Any]) -> list[tuple[str, Path]]:
    """Return (event type or start of actor id, path) of each path, split into its keys."""
    return [
        (key, path.split(".") if isinstance(path, str) else [str(part) for part in path])
        for key, paths in configured.items()
        for path in paths
    ]


def _mask(value: Any, path: Path) -> Any:
    """Return ``value`` with what is at ``path`` masked; the same object if nothing is there."""
    if not path:
        return MASK
    if not isinstance(value, (dict, list)):
        return value
    children = value.items() if isinstance(value, dict) else enumerate(value)
    masked = {
        place: mask
        for place, child in children
        if path[0] in ("*", str(place)) and (mask := _mask(child, path[1:])) is not child
    }
    if not masked:
        return value
    if isinstance(value, dict):
        return {**value, **masked}
    return [masked.get(index, child) for index, child in enumerate(value)]


_PARTICULAR = re.compile(r"'[^']*'|\"[^\"]*\"|\d+")


def cause_of(error: ReplayError) -> str:
    """Return what malformed events of one kind have in common: the error less its particulars.

    Its words may still quote the event: for who may not see that, see kind_of().
    """
    text = _PARTICULAR.sub("…", str(error.error))
    return f"{type(error.error).__name__}: {text[:200]}"


def kind_of(error: ReplayError) -> str:
    """Return of what kind the error is, and which field of an event it is about, no more."""
    kind = type(error.error).__name__
    if isinstance(error.error, InvalidEventError):
        # Behind the field's name may be a path: keys of the data.
        return f"{kind}: {_FIELD.match(error.error.field)[0]}"  # type: ignore[index]
    return kind


_FIELD = re.compile(r"\w*")
