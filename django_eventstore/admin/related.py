"""What caused an event, what it caused, and all that belongs together with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..events import Event, ReplayError
from .scanning import scan
from .scope import Scope

MOST: Final = 200
"""How many events of one correlation are drawn."""

BEHIND: Final = 1000
"""Among how many events behind one its effects are looked for that correlation does not tell."""


class Step(NamedTuple):
    """A step through the tree, for a template that cannot recur deeply.

    Attributes:
        kind: ``item`` begins a branch with ``event``; ``then`` goes on in it with the only
            effect of the event before; ``open`` and ``close`` are around several effects; ``end``
            ends the branch.
        event: what to show.
    """

    kind: str
    event: Event | None = None


@dataclass(slots=True)
class Related:
    """The events around one.

    Attributes:
        cause: the event that caused it, if it was found.
        effects: the events that name it as their cause.
        steps: the whole correlation as a tree.
        count: how many events the tree holds.
        more: whether there are further ones.
        looked_at: how many events were looked at, in a store that must read to find; 0: found.
    """

    cause: Event | None = None
    effects: list[Event] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    count: int = 0
    more: bool = False
    looked_at: int = 0


def related(scope: Scope, event: Event) -> Related:
    """Find what belongs together with ``event``, as far as the time allows."""
    correlation = event.correlation_id or event.id
    found = Related()
    if scope.store.backend.supports_lookup:
        events = list(scope.store.read_all(correlation_id=correlation, limit=MOST + 1))
        found.more = len(events) > MOST
        events = events[:MOST]
        cause_id = event.causation_id
        if cause_id and all(other.id != cause_id for other in events):
            cause = scope.store.get_event_by_id(cause_id)
            events = ([cause] if cause else []) + events
        events += _effects_behind(scope, event, {other.id for other in events})
    else:
        events = _look_around(scope, event, correlation, found)
    if all(other.id != event.id for other in events):
        events.append(event)
    by_id = {other.id: other for other in events}
    found.cause = by_id.get(event.causation_id or "")
    found.effects = [other for other in events if other.causation_id == event.id]
    found.steps = list(_walk(events, by_id))
    found.count = len(by_id)
    return found


def _effects_behind(scope: Scope, event: Event, known: set[str]) -> list[Event]:
    """Return effects of another correlation, or of none, among the events behind."""

    def is_new_effect(item: Event | ReplayError) -> Event | None:
        if not isinstance(item, Event) or item.causation_id != event.id or item.id in known:
            return None
        return item

    behind = scope.store.read_all_with_errors(after=event.position, limit=BEHIND)
    return scan(behind, is_new_effect, scope.deadline, wanted=MOST).found


def _look_around(scope: Scope, event: Event, correlation: str, found: Related) -> list[Event]:
    """Read backwards and forwards from the event: what belongs together is mostly close by."""

    def belongs(item: Event | ReplayError) -> Event | None:
        if not isinstance(item, Event):
            return None
        fits = (
            item.correlation_id == correlation
            or item.id in (event.causation_id, correlation)
            or item.causation_id == event.id
        )
        return item if fits else None

    near = 5000
    position = event.position or 0

    def look(items: Iterator[Event | ReplayError]) -> list[Event]:
        looked = scan(items, belongs, scope.deadline, wanted=MOST // 2)
        found.looked_at += looked.looked_at
        found.more = found.more or len(looked.found) == MOST // 2
        return looked.found

    store = scope.store
    earlier = look(store.read_all_with_errors(before=position, reverse=True, limit=near))
    later = look(store.read_all_with_errors(after=position, limit=near))
    return [*reversed(earlier), event, *later]


def _walk(events: list[Event], by_id: dict[str, Event]) -> Iterator[Step]:
    """Yield the steps through the tree, each event once, whatever names what as its cause."""
    effects: dict[str, list[Event]] = {}
    roots = []
    for event in events:
        cause = event.causation_id
        if cause in by_id and cause != event.id:
            effects.setdefault(cause, []).append(event)
        else:
            roots.append(event)
    left = dict(by_id)
    todo: list[Step] = [Step("item", root) for root in reversed(roots)]
    while todo or left:
        # Whatever is left when the roots are done causes itself, by a circle: begin anywhere.
        step = todo.pop() if todo else Step("item", next(iter(left.values())))
        if step.event is None:
            yield step
        elif left.pop(step.event.id, None) is not None:
            yield step
            following = [child for child in effects.get(step.event.id, ()) if child.id in left]
            if step.kind == "item":
                todo.append(Step("end"))
            if len(following) == 1:
                todo.append(Step("then", following[0]))
            elif following:
                todo.append(Step("close"))
                todo += [Step("item", child) for child in reversed(following)]
                todo.append(Step("open"))
