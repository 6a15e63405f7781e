"""Given some events, when something is decided, then these events follow: without a store."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any, Generic, TypeVar

from ..events import Event
from ..events.event import check_event
from ..folds import fold_events
from ..store.arguments import Decided, decided

State = TypeVar("State")


def collect(events: list[Event], event: Event) -> list[Event]:
    """Fold to the list of the events themselves."""
    return [*events, event]


def given(
    events: Iterable[Event] = (), *, apply: Callable[[Any, Event], Any] = collect, initial: Any = ()
) -> Given[Any]:
    """Begin a scenario: these events have happened.

    For example::

        given([Event("order-1", "placed")], apply=apply, initial={}).when(
            lambda order: pay(order, amount=10)
        ).then([Event("order-1", "paid", {"amount": 10})])

    Args:
        events: what has happened; versions are counted from 1 where they are not given.
        apply: ``apply(state, event) -> state``, as EventStore.replay() takes it. Without one,
            the state is the list of the events.
        initial: the state before the first event.
    """
    state = list(initial) if apply is collect else initial
    history = list(events)
    for event in history:
        check_event(event)
    return Given(fold_events(history, apply, state).state, apply)


class Given(Generic[State]):
    """What has happened.

    Attributes:
        state: the state that the events lead to.
    """

    def __init__(self, state: State, apply: Callable[[State, Event], State]) -> None:
        self.state = state
        self._apply = apply

    def when(self, decide: Callable[[State], Decided]) -> When[State]:
        """Decide: call ``decide(state)``, as EventStore.update() does."""
        try:
            events = decided(decide(deepcopy(self.state)))
            for event in events:
                check_event(event)
        except Exception as error:  # the scenario says whether it should be there
            return When(self.state, self._apply, [], error)
        return When(self.state, self._apply, events, None)


class When(Generic[State]):
    """What was decided.

    Attributes:
        events: the events that were decided, in order.
        error: what was raised instead, or None.
    """

    def __init__(
        self,
        state: State,
        apply: Callable[[State, Event], State],
        events: list[Event],
        error: Exception | None,
    ) -> None:
        self.events = events
        self.error = error
        self._state = state
        self._apply = apply

    def then(self, expected: Decided = None) -> When[State]:
        """Assert that exactly these events were decided (none: None or an empty list).

        Compared are actor, type, data, the command id and metadata keys where the expected
        event has them; not what differs each time: id, timestamp, version, position.
        """
        self._raise_error()
        wanted = decided(expected)
        assert [_shown(event) for event in self.events] == [_shown(event) for event in wanted]
        for event, want in zip(self.events, wanted, strict=True):
            assert want.command_id in ("", event.command_id)
            assert _part(event.metadata, want.metadata) == dict(want.metadata)
        return self

    def then_state(self, expected: State) -> When[State]:
        """Assert that the decided events lead to this state."""
        self._raise_error()
        assert fold_events(self.events, self._apply, self._state).state == expected
        return self

    def then_raises(self, kind: type[Exception], match: str = "") -> When[State]:
        """Assert that deciding raised a ``kind``, whose text holds the pattern ``match``."""
        assert self.error is not None, f"{kind.__name__} was not raised; decided: {self.events}"
        if not isinstance(self.error, kind):
            raise self.error
        assert re.search(match, str(self.error)), f"{match!r} is not in {str(self.error)!r}"
        return self

    def _raise_error(self) -> None:
        if self.error is not None:
            raise self.error


def _shown(event: Event) -> tuple[str, str, dict[str, Any]]:
    return event.actor_id, event.event_type, event.data


def _part(metadata: Mapping[str, str], of: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in metadata.items() if key in of}
