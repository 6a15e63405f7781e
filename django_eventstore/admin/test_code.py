"""A test made of an event: given what was before, when the command comes, then this event."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pprint import pformat
from textwrap import indent
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
    code = "\n".join([*_given_lines(event, fold, given), *_then_lines(event)])
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


def _given_lines(event: Event, fold: Fold, given: _Given) -> list[str]:
    """Return what is imported, the state at first, and what folds the events since into it."""
    is_registered = fold is not UNREGISTERED
    is_literal = _is_literal(given.state)
    name = getattr(fold.apply, "__qualname__", "")
    is_imported = is_registered and name.isidentifier()
    # What code cannot say is taken from the registered fold.
    asks_for_fold = not is_literal or (is_registered and not is_imported)
    imports = ["from django_eventstore import Event"]
    if not is_literal:
        imports[:0] = ["from copy import deepcopy", ""]
    if asks_for_fold:
        imports.append("from django_eventstore.folds import fold_for")
    if is_imported:
        imports.append(f"from {fold.apply.__module__} import {name}")
    if not is_registered:
        imports += ["", "", "def apply(state, event):"]
        imports.append("    return {**state, **event.data}  # your fold")
    what = "what happened before"
    if given.version:
        what = f"the state at version {given.version}, and what happened since"
    apply = name if is_imported else "fold.apply" if is_registered else "apply"
    state = indent(_literal(given.state), " " * 12).lstrip()
    whole = not _fold_alike(fold, given)
    return [
        *imports,
        "",
        "",
        f"def test_{_slug(event.event_type)}():",
        f"    # Given {what}",
        *([f"    fold = fold_for({event.actor_id!r})"] if asks_for_fold else []),
        f"    state = {state if is_literal else 'deepcopy(fold.initial)'}",
        "    given = [",
        *(indent(_call(event, whole), " " * 8) + "," for event in given.events),
        "    ]",
        "    for event in given:",
        f"        state = {apply}(state, event)",
    ]


def _then_lines(event: Event) -> list[str]:
    command = f" {event.command_id!r}" if event.command_id else ""
    happened = f"(\n    {event.event_type!r},\n{indent(_literal(event.data), ' ' * 4)},\n)"
    return [
        "",
        f"    # When the command{command} is decided on",
        "    events = decide(state)  # yours",
        "",
        f"    # Then {event.event_type!r} happens",
        "    assert [(event.event_type, event.data) for event in events] == [",
        indent(happened, " " * 8) + ",",
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
        return f"Event.from_dict(\n{indent(pformat(event.to_dict(), sort_dicts=False), ' ' * 4)}\n)"
    names = f"{event.actor_id!r}, {event.event_type!r}"
    data = _literal(event.data)
    line = f"Event({names}, {data}, version={event.version})"
    if len(line) <= WIDTH - 8 and "\n" not in line:
        return line
    return f"Event(\n    {names},\n{indent(data, ' ' * 4)},\n    version={event.version},\n)"


def _literal(value: Any) -> str:
    return pformat(value, width=WIDTH - 12, sort_dicts=False)


def _slug(event_type: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", event_type)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") or "event"
