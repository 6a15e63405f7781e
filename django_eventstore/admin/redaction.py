"""What must not be shown: values at configured paths, masked before anything else sees them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
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
        self._events = {
            pattern: [_split(path) for path in paths] for pattern, paths in options.redact.items()
        }
        self._states = {
            prefix: [_split(path) for path in paths]
            for prefix, paths in options.redact_state.items()
        }

    def hides_raw(self) -> bool:
        """Tell whether raw content, in which no path can be found, must stay hidden."""
        return self.configured and not self.reveal

    def event(self, event: Event) -> Event:
        """Return ``event`` with masked data."""
        data = self._apply(event.data, self._event_paths(event.event_type))
        return event if data is event.data else replace(event, data=data)

    def state(self, actor_id: str, state: Any) -> Any:
        """Return the plain ``state`` of the actor, masked."""
        return self._apply(state, self._state_paths(actor_id))

    def touches_event(self, event: Event) -> bool:
        """Tell whether ``event.data`` has a value at one of the paths."""
        return any(_has(event.data, path) for path in self._event_paths(event.event_type))

    def touches_state(self, actor_id: str, state: Any) -> bool:
        """Tell whether the plain ``state`` has a value at one of the paths."""
        return any(_has(state, path) for path in self._state_paths(actor_id))

    def _apply(self, value: Any, paths: Iterable[Path]) -> Any:
        if not self.reveal:
            for path in paths:
                value = _mask(value, path)
        return value

    def _event_paths(self, event_type: str) -> list[Path]:
        return [
            path
            for pattern, paths in self._events.items()
            if fnmatchcase(event_type, pattern)
            for path in paths
        ]

    def _state_paths(self, actor_id: str) -> list[Path]:
        own = [
            path
            for prefix, paths in self._states.items()
            if actor_id.startswith(prefix)
            for path in paths
        ]
        return own + [path for paths in self._events.values() for path in paths]


def _split(path: object) -> Path:
    return path.split(".") if isinstance(path, str) else [str(key) for key in path]  # type: ignore[attr-defined]


def _mask(value: Any, path: Path) -> Any:
    """Return ``value`` with what is at ``path`` masked; the same object if nothing is there."""
    if not path:
        return MASK
    if not _has(value, path):
        return value
    key, rest = path[0], path[1:]
    if isinstance(value, dict):
        return {
            name: _mask(child, rest) if key in ("*", name) else child
            for name, child in value.items()
        }
    return [
        _mask(child, rest) if key in ("*", str(index)) else child
        for index, child in enumerate(value)
    ]


def _has(value: Any, path: Path) -> bool:
    if not path:
        return True
    key, rest = path[0], path[1:]
    if isinstance(value, dict):
        if key == "*":
            return any(_has(child, rest) for child in value.values())
        return key in value and _has(value[key], rest)
    if isinstance(value, list):
        return any(
            _has(child, rest) for index, child in enumerate(value) if key in ("*", str(index))
        )
    return False


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
