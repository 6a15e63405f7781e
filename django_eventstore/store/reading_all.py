"""Reading the whole store, in position order; and waiting for more."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator
from datetime import datetime
from functools import partial
from typing import Unpack

from ..backends.values import Selection
from ..events import Event, ReplayError
from . import subscriptions
from .arguments import Reading, selection
from .malformed import Item, Reporting, aevents_of, events_of
from .observability import aobserve_items, observe_items
from .subscriptions import Stop


class StoreReading(Reporting):
    """read_all() and subscribe()."""

    def read_all(
        self,
        after: int | None = None,
        *,
        before: int | None = None,
        limit: int | None = None,
        reverse: bool = False,
        event_types: Collection[str] | None = None,
        actor_id: str | None = None,
        correlation_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Event]:
        """Yield the events of the whole store in position order, in bounded memory.

        Never skips an event that commits late, so ``event.position`` is a checkpoint: go on
        with ``after=checkpoint``. Malformed events are left out, logged, and sent as
        ``malformed_event_found``; see read_all_with_errors().

        Args:
            after: a position; only events behind it.
            limit: the most events to yield, after filtering; 0 gives none.
            event_types: only events of one of these types; an empty collection gives none.
            actor_id: only this actor's events.
            correlation_id: only events with this correlation id.
            since: only events with this timestamp or a later one.
            until: only events with this timestamp or an earlier one.
            before: a position; only events in front of it.
            reverse: newest first.

        Raises:
            InvalidEventError: an argument is wrong.
            StoreUnavailableError: the store cannot be reached.
        """
        selected = selection(
            after,
            before=before,
            limit=limit,
            reverse=reverse,
            event_types=event_types,
            actor_id=actor_id,
            correlation_id=correlation_id,
            since=since,
            until=until,
        )
        return events_of(self._read_items(selected))

    def aread_all(
        self, after: int | None = None, **reading: Unpack[Reading]
    ) -> AsyncIterator[Event]:
        """See read_all()."""
        selected = selection(after, **reading)
        return aevents_of(self._aread_items(selected))

    def read_all_with_errors(
        self, after: int | None = None, **reading: Unpack[Reading]
    ) -> Iterator[Event | ReplayError]:
        """Yield what read_all() does, and a ReplayError in the place of each malformed event."""
        selected = selection(after, **reading)
        return self._read_items(selected)

    def aread_all_with_errors(
        self, after: int | None = None, **reading: Unpack[Reading]
    ) -> AsyncIterator[Event | ReplayError]:
        """See read_all_with_errors()."""
        selected = selection(after, **reading)
        return self._aread_items(selected)

    def subscribe(
        self,
        after: int | None = None,
        *,
        event_types: Collection[str] | None = None,
        stop: Stop | None = None,
    ) -> Iterator[Event]:
        """Yield the events of the whole store in position order, and wait for new ones for ever.

        Each position once, none skipped: to go on later, give the position of the last event
        that you have dealt with as ``after``. While nothing is saved it waits, without load.
        When the store cannot be reached it logs that, and goes on once it can be again.

        Args:
            after: a position; only events behind it. None: from the first one.
            event_types: only events of one of these types.
            stop: set it (from another thread, or a signal handler), and the iterator ends
                within about 0.1 seconds, or after the event that it is at.

        Raises:
            InvalidEventError: an argument is wrong.
        """
        selected = selection(after, event_types=event_types)
        namespace = self.namespace
        read = partial(self._store_items, namespace)
        watch = partial(self.backend.watch, namespace)
        return subscriptions.subscribe(read, watch, selected, stop)

    def asubscribe(
        self,
        after: int | None = None,
        *,
        event_types: Collection[str] | None = None,
        stop: Stop | None = None,
    ) -> AsyncIterator[Event]:
        """See subscribe(); ``stop`` may be an ``asyncio.Event``."""
        selected = selection(after, event_types=event_types)
        namespace = self.namespace
        read = partial(self._astore_items, namespace)
        watch = partial(self.backend.watch, namespace)
        return subscriptions.asubscribe(read, watch, selected, stop)

    def _read_items(self, selected: Selection) -> Iterator[Item]:
        namespace = self.namespace
        items = self._store_items(namespace, selected)
        return observe_items(self, "read_store", namespace, items)

    def _aread_items(self, selected: Selection) -> AsyncGenerator[Item, None]:
        namespace = self.namespace
        items = self._astore_items(namespace, selected)
        return aobserve_items(self, "read_store", namespace, items)

    def _store_items(self, namespace: str, selected: Selection) -> Iterator[Item]:
        return self._settled(namespace, partial(self.backend.read_store, namespace), selected)

    def _astore_items(self, namespace: str, selected: Selection) -> AsyncGenerator[Item, None]:
        return self._asettled(namespace, partial(self.backend.aread_store, namespace), selected)
