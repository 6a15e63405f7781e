"""A test made of an event: given what was before, when the command comes, then this event."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pprint import pformat
from typing import Any, Final

from ..events import Event
from ..events.json import plain, same_json
from ..folds import Fold, fold_events
from .folding import UNREGISTERED, BoundedFolding, beginning, fold_of, fold_to
from .redaction import Masked
from .scope import Scope

MOST_GIVEN: Final = 12
"""How many events before are written out, where the state before those can be written as well."""

MOST_READ: Final = 200
"""How many events before are written out where it cannot."""

LARGEST: Final = 20_000
"""A test longer than this, in characters, helps nobody."""

WIDTH: Final = 88


@dataclass(frozen=True, slots=True)
class _Given:
    """What was before the event.

    Attributes:
        state: what to start at.
        version: which version that is.
        events: what happened since, oldest first.
    """

    state: Any
    version: int
    events: list[Event]


def as_test(scope: Scope, event: Event) -> str | None:
    """Return Python code for pytest, None if it would be too long to be of use."""
    fold = fold_of(event.actor_id)
    given = _given(scope, event, fold)
    if given is None:
        return None
    code = "\n".join([*_head(event, fold, given), *_given_lines(fold, given), *_then_lines(event)])
    return code if len(code) <= LARGEST else None


def _given(scope: Scope, event: Event, fold: Fold) -> _Given | None:
    """Return all events before, or the newest of them and the state that they change."""
    before = _before(scope, event, MOST_GIVEN + 1)
    if len(before) <= MOST_GIVEN:
        return _from_the_beginning(scope, event, fold, before)
    version = before[0].version or 0
    folded = fold_to(scope.store, event.actor_id, fold, version, scope.deadline)
    if folded.complete and folded.failure is None and _is_literal(folded.state):
        return _Given(scope.shown_state(event.actor_id, folded.state), version, before[1:])
    before = _before(scope, event, MOST_READ + 1)
    if len(before) > MOST_READ:
        return None
    return _from_the_beginning(scope, event, fold, before)


def _from_the_beginning(scope: Scope, event: Event, fold: Fold, before: list[Event]) -> _Given:
    """Return the initial state, or the snapshot that stands for what is gone, and the events."""
    begin = beginning(scope.store, event.actor_id, fold, (event.version or 1) - 1, BoundedFolding)
    if not begin.base:
        return _Given(fold.initial, 0, before)
    since = [earlier for earlier in before if (earlier.version or 0) > begin.base]
    return _Given(scope.shown_state(event.actor_id, begin.state), begin.base, since)


def _before(scope: Scope, event: Event, limit: int) -> list[Event]:
    found = scope.store.get_events(
        event.actor_id, to_version=(event.version or 1) - 1, limit=limit, reverse=True
    )
    return [scope.shown(earlier) for earlier in reversed(found)]


def _is_literal(value: Any) -> bool:
    """Tell whether Python code for ``value`` can be written without importing anything."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_literal(child) for key, child in value.items())
    if isinstance(value, list):
        return all(map(_is_literal, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return type(value) in (str, Masked, int, bool, type(None))


def _head(event: Event, fold: Fold, given: _Given) -> list[str]:
    lines = ["from django_eventstore import Event"]
    if not _is_literal(given.state):
        lines[:0] = ["from copy import deepcopy", ""]
    if _asks_for_fold(fold, given):
        lines.append("from django_eventstore.folds import fold_for")
    if _can_be_imported(fold):
        lines.append(f"from {fold.apply.__module__} import {fold.apply.__qualname__}")
    elif fold is UNREGISTERED:
        lines += ["", "", "def apply(state, event):"]
        lines.append("    return {**state, **event.data}  # your fold")
    lines += ["", "", f"def test_{_slug(event.event_type)}():"]
    if given.version:
        lines.append(f"    # Given the state at version {given.version}, and what happened since")
    else:
        lines.append("    # Given what happened before")
    if _asks_for_fold(fold, given):
        lines.append(f"    fold = fold_for({event.actor_id!r})")
    return lines


def _asks_for_fold(fold: Fold, given: _Given) -> bool:
    """Tell whether the test needs the registered fold: code cannot say what it is made of."""
    return not _is_literal(given.state) or not (_can_be_imported(fold) or fold is UNREGISTERED)


def _can_be_imported(fold: Fold) -> bool:
    return fold is not UNREGISTERED and getattr(fold.apply, "__qualname__", "").isidentifier()


def _given_lines(fold: Fold, given: _Given) -> list[str]:
    whole = not _fold_alike(fold, given)
    if _can_be_imported(fold):
        apply = fold.apply.__qualname__
    else:
        apply = "apply" if fold is UNREGISTERED else "fold.apply"
    state = "deepcopy(fold.initial)"
    if _is_literal(given.state):
        state = _hanging(pformat(given.state, width=WIDTH - 12, sort_dicts=False), 12)
    return [
        f"    state = {state}",
        "    given = [",
        *(_indent(_call(event, whole), 8) + "," for event in given.events),
        "    ]",
        "    for event in given:",
        f"        state = {apply}(state, event)",
    ]


def _then_lines(event: Event) -> list[str]:
    command = f" {event.command_id!r}" if event.command_id else ""
    data = pformat(event.data, width=WIDTH - 12, sort_dicts=False)
    return [
        "",
        f"    # When the command{command} is decided on",
        "    events = decide(state)  # yours",
        "",
        f"    # Then {event.event_type!r} happens",
        "    assert [(event.event_type, event.data) for event in events] == [",
        _indent(f"(\n    {event.event_type!r},\n{_indent(data, 4)},\n)", 8) + ",",
        "    ]",
        "",
    ]


def _fold_alike(fold: Fold, given: _Given) -> bool:
    """Tell whether the fold needs no more of the events than their type and data."""
    bare = [
        Event(event.actor_id, event.event_type, event.data, event.version) for event in given.events
    ]
    try:
        one, other = (
            plain(fold_events(events, fold.apply, given.state).state)
            for events in (bare, given.events)
        )
        return same_json(one, other)
    except Exception:  # a project's fold may raise anything: then give it all there is
        return False


def _call(event: Event, whole: bool) -> str:
    if whole:
        return f"Event.from_dict(\n{_indent(pformat(event.to_dict(), sort_dicts=False), 4)}\n)"
    names = f"{event.actor_id!r}, {event.event_type!r}"
    data = pformat(event.data, width=WIDTH - 12, sort_dicts=False)
    line = f"Event({names}, {data}, version={event.version})"
    if len(line) <= WIDTH - 8 and "\n" not in line:
        return line
    return f"Event(\n    {names},\n{_indent(data, 4)},\n    version={event.version},\n)"


def _hanging(text: str, by: int) -> str:
    """Indent all lines but the first."""
    return text.replace("\n", "\n" + " " * by)


def _indent(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.split("\n"))


def _slug(event_type: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", event_type)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") or "event"
