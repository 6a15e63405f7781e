"""Subscriptions: catch up with a store, then wait for what is saved next.

The positions that reads give back decide what a subscriber sees; a ``Watch`` only tells when
the next read is worth while. So a lost notification costs time, never an event.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from typing import Final, Protocol

from ..backends.values import Selection
from ..backends.watch import Watch
from ..events import Event, ReplayError
from ..exceptions import StoreUnavailableError

logger = logging.getLogger("django_eventstore")

PAGE_SIZE: Final = 500
"""How many events a subscription holds in memory at once."""

SHORTEST_PAUSE: Final = 0.01
"""Seconds between two reads right after something was found; doubles while nothing is."""

LONGEST_RETRY: Final = 5.0
"""The longest pause in seconds between two tries to reach a store that does not answer."""

_SLICE: Final = 0.1  # the longest a wait goes on after ``stop`` is set, in seconds


class Stop(Protocol):
    """What ends a subscription: a ``threading.Event``, or anything else with its ``is_set()``."""

    def is_set(self) -> bool:
        """Tell whether to end."""


class Pacing:
    """How long to wait before the next read: hardly, after a find; longer and longer otherwise.

    Args:
        watch: hears that a read is worth while.
        stop: ends a wait within about 0.1 seconds.
    """

    def __init__(self, watch: Watch, stop: Stop | None) -> None:
        self._watch = watch
        self._stop = stop
        self._pause = SHORTEST_PAUSE

    def stopped(self) -> bool:
        """Tell whether it is time to end."""
        return self._stop is not None and self._stop.is_set()

    def found_something(self) -> None:
        """Start again with the shortest pause."""
        self._pause = SHORTEST_PAUSE

    def found_nothing(self) -> None:
        """Make the next pause longer."""
        self._pause = min(self._pause * 2, self._watch.longest_pause)

    def failed(self) -> None:
        """Make the next pause longer, for a server that does not answer."""
        self._pause = min(max(self._pause * 2, _SLICE), LONGEST_RETRY)

    def wait(self) -> None:
        """Wait for that long, or until something is heard of."""
        if any(map(self._watch.wait, self._slices())):
            self._pause = SHORTEST_PAUSE

    async def await_(self) -> None:
        """See wait()."""
        for seconds in self._slices():
            if await self._watch.await_(seconds):
                self._pause = SHORTEST_PAUSE
                return

    def _slices(self) -> Iterator[float]:
        end = time.monotonic() + self._pause
        while not self.stopped() and (left := end - time.monotonic()) > 0:
            yield min(left, _SLICE)


class _Progress:
    """Where a subscription is, and what it reads next."""

    def __init__(self, selected: Selection, pacing: Pacing) -> None:
        self._wanted = selected
        self._position = selected.after
        # Until it has caught up the store filters. From then on each page is read whole, so that
        # events of other types move the position on and are not read over and over.
        self._caught_up = False
        self._pacing = pacing

    def next_page(self) -> Selection:
        wanted = replace(self._wanted, after=self._position, limit=PAGE_SIZE)
        return replace(wanted, event_types=None) if self._caught_up else wanted

    def accept(self, page: Sequence[Event | ReplayError]) -> list[Event]:
        """Move on behind ``page``; return the events to deliver."""
        for item in reversed(page):
            if item.position is not None:
                self._position = item.position
                break
        if page:
            self._pacing.found_something()
        else:
            self._pacing.found_nothing()
        events = [item for item in page if isinstance(item, Event) and self._wanted.matches(item)]
        if len(events) < PAGE_SIZE:
            self._caught_up = True
        return events

    def accept_failure(self, error: StoreUnavailableError) -> None:
        logger.warning(
            "A subscription lost its store, and tries again: %s",
            error,
            extra={"reason": str(error)},
        )
        self._pacing.failed()


def subscribe(
    read: Callable[[Selection], Iterator[Event | ReplayError]],
    open_watch: Callable[[], Watch],
    selected: Selection,
    stop: Stop | None,
) -> Iterator[Event]:
    """See EventStore.subscribe(); ``read`` gives a page."""
    with closing(open_watch()) as watch:
        pacing = Pacing(watch, stop)
        progress = _Progress(selected, pacing)
        while not pacing.stopped():
            try:
                page = list(read(progress.next_page()))
            except StoreUnavailableError as error:
                progress.accept_failure(error)
                pacing.wait()
                continue
            for event in progress.accept(page):
                yield event
                if pacing.stopped():
                    return
            if not page:
                pacing.wait()


async def asubscribe(
    read: Callable[[Selection], AsyncIterator[Event | ReplayError]],
    open_watch: Callable[[], Watch],
    selected: Selection,
    stop: Stop | None,
) -> AsyncIterator[Event]:
    """See subscribe()."""
    async with aclosing(open_watch()) as watch:
        pacing = Pacing(watch, stop)
        progress = _Progress(selected, pacing)
        while not pacing.stopped():
            try:
                page = [item async for item in read(progress.next_page())]
            except StoreUnavailableError as error:
                progress.accept_failure(error)
                await pacing.await_()
                continue
            for event in progress.accept(page):
                yield event
                if pacing.stopped():
                    return
            if not page:
                await pacing.await_()
