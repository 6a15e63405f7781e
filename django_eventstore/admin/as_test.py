"""A test made of an event: given what was before, when the command comes, then this event."""

from __future__ import annotations

import re
from pprint import pformat
from typing import Final

from ..events import Event
from .folding import UNREGISTERED, folding
from .scope import Scope

MOST_GIVEN: Final = 12
"""How many events before are written out."""

LARGEST: Final = 20_000
"""A test longer than this, in characters, helps nobody."""


def as_test(scope: Scope, event: Event) -> str | None:
    """Return Python code for pytest, None if it would be too long to be of use."""
    version = event.version or 1
    before = scope.store.get_events(
        event.actor_id, to_version=version - 1, limit=MOST_GIVEN + 1, reverse=True
    )
    left_out = len(before) > MOST_GIVEN
    given = [scope.shown(earlier) for earlier in reversed(before[:MOST_GIVEN])]
    fold = folding(event.actor_id)
    name = getattr(fold.apply, "__qualname__", "")
    lines = ["from django_eventstore import Event"]
    if fold is not UNREGISTERED and name.isidentifier():
        lines.append(f"from {fold.apply.__module__} import {name}")
    else:
        name = "apply"
        lines += [
            "",
            "",
            "def apply(state, event):",
            "    return {**state, **event.data}  # your fold",
        ]
    start = pformat(fold.initial)
    lines += ["", "", f"def test_{_slug(event.event_type)}():", "    # Given what happened before"]
    if left_out:
        lines.append(f"    # (only the last {MOST_GIVEN} events; there are earlier ones)")
    lines.append("    given = [")
    for earlier in given:
        lines.append(_indent(_call(earlier), 8) + ",")
    lines += ["    ]", f"    state = {start}", "    for event in given:"]
    lines.append(f"        state = {name}(state, event)")
    command = f" {event.command_id!r}" if event.command_id else ""
    lines += [
        "",
        f"    # When the command{command} is decided on",
        "    events = decide(state)  # yours",
        "",
        f"    # Then {event.event_type!r} happens".replace("\n", " "),
        "    assert [(event.event_type, event.data) for event in events] == [",
        _indent(f"({event.event_type!r}, {pformat(event.data, width=84, sort_dicts=False)})", 8)
        + ",",
        "    ]",
        "",
    ]
    code = "\n".join(lines)
    return code if len(code) <= LARGEST else None


def _call(event: Event) -> str:
    data = pformat(event.data, width=80, sort_dicts=False)
    return f"Event({event.actor_id!r}, {event.event_type!r}, {data}, version={event.version})"


def _indent(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.splitlines())


def _slug(event_type: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", event_type)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") or "event"
