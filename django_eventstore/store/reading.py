"""Reading the events of one actor, in version order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from functools import partial
from typing import Unpack

from ..backends.values import ActorRange
from ..events import Event, ReplayError, ReplayResult
from ..events.validation import check_text
from .arguments import Bounds, actor_range
from .malformed import Item, Reporting, aevents_of, events_of
from .observability import aobserve_items, observe_items


class ActorReading(Reporting):
    """get_events(), iter_events() and get_latest_version()."""

    def get_events(
        self,
        actor_id: str,
        from_version: int = 0,
        *,
        to_version: int | None = None,
        limit: int | None = None,
        reverse: bool = False,
    ) -> list[Event]:
        """Return the actor's events in version order (newest first with ``reverse``).

        Bounds are inclusive; ``limit`` counts readable events, 0 gives none; an unknown actor
        has none. Malformed events are left out, logged, and sent as ``malformed_event_found``;
        see get_events_with_errors().

        Raises:
            InvalidEventError: an argument is wrong.
            StoreUnavailableError: the store cannot be reached.
        """
        events = self.iter_events(
            actor_id, from_version, to_version=to_version, limit=limit, reverse=reverse
        )
        return list(events)

    async def aget_events(
        self, actor_id: str, from_version: int = 0, **bounds: Unpack[Bounds]
    ) -> list[Event]:
        """See get_events()."""
        return [event async for event in self.aiter_events(actor_id, from_version, **bounds)]

    def get_events_with_errors(
        self, actor_id: str, from_version: int = 0, **bounds: Unpack[Bounds]
    ) -> ReplayResult:
        """Return the actor's events, and a ReplayError for each malformed one; nothing is lost.

        See get_events() for the arguments.
        """
        selected = actor_range(actor_id, from_version, **bounds)
        return _result(self._items(self.namespace, actor_id, selected))

    async def aget_events_with_errors(
        self, actor_id: str, from_version: int = 0, **bounds: Unpack[Bounds]
    ) -> ReplayResult:
        """See get_events_with_errors()."""
        selected = actor_range(actor_id, from_version, **bounds)
        return _result([item async for item in self._aitems(self.namespace, actor_id, selected)])

    def iter_events(
        self, actor_id: str, from_version: int = 0, **bounds: Unpack[Bounds]
    ) -> Iterator[Event]:
        """Yield what get_events() returns, in bounded memory."""
        selected = actor_range(actor_id, from_version, **bounds)
        return events_of(self._items(self.namespace, actor_id, selected))

    def aiter_events(
        self, actor_id: str, from_version: int = 0, **bounds: Unpack[Bounds]
    ) -> AsyncIterator[Event]:
        """See iter_events()."""
        selected = actor_range(actor_id, from_version, **bounds)
        return aevents_of(self._aitems(self.namespace, actor_id, selected))

    def iter_events_with_errors(
        self, actor_id: str, from_version: int = 0, **bounds: Unpack[Bounds]
    ) -> Iterator[Event | ReplayError]:
        """Yield what iter_events() does, and a ReplayError in the place of each malformed event."""
        selected = actor_range(actor_id, from_version, **bounds)
        return self._items(self.namespace, actor_id, selected)

    def aiter_events_with_errors(
        self, actor_id: str, from_version: int = 0, **bounds: Unpack[Bounds]
    ) -> AsyncIterator[Event | ReplayError]:
        """See iter_events_with_errors()."""
        selected = actor_range(actor_id, from_version, **bounds)
        return self._aitems(self.namespace, actor_id, selected)

    def get_latest_version(self, actor_id: str) -> int:
        """Return the version of the actor's newest event, 0 for an unknown actor.

        Always the truth, never a cached value. A malformed event counts with its version where
        that can be told.
        """
        return self.backend.latest_version(self.namespace, check_text("actor_id", actor_id))

    async def aget_latest_version(self, actor_id: str) -> int:
        """See get_latest_version()."""
        return await self.backend.alatest_version(self.namespace, check_text("actor_id", actor_id))

    def _items(self, namespace: str, actor_id: str, selected: ActorRange) -> Iterator[Item]:
        read = partial(self.backend.read_actor, namespace, actor_id)
        items = self._settled(namespace, read, selected)
        return observe_items(self, "read_actor", namespace, items, actor_id)

    def _aitems(
        self, namespace: str, actor_id: str, selected: ActorRange
    ) -> AsyncGenerator[Item, None]:
        read = partial(self.backend.aread_actor, namespace, actor_id)
        items = self._asettled(namespace, read, selected)
        return aobserve_items(self, "read_actor", namespace, items, actor_id)


def _result(items: Iterable[Item]) -> ReplayResult:
    result = ReplayResult()
    for item in items:
        if isinstance(item, ReplayError):
            result.errors.append(item)
        else:
            result.events.append(item)
    return result
