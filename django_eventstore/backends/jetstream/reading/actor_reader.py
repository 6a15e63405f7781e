"""Reading one actor, a page at a time."""

from __future__ import annotations

from collections import deque
from typing import Final

from ....events import ReplayError
from ...values import ActorRange
from ..client.call import Call
from ..client.traffic import MANY, Exchange
from ..stored import Stored, from_direct
from ..version_cache import NO_HEAD, Head
from .history import (
    PAGE_BYTES,
    History,
    Items,
    advance,
    gives_batches,
    leader_get,
    leader_request,
    own_head,
    read_message,
    stray_error,
)

FIRST_WINDOW: Final = 64
"""How many appends are asked for at first."""

LARGEST_WINDOW: Final = 250
"""How many appends are asked for at the most, for each of the ``PAGES_AHEAD``."""

PAGES_AHEAD: Final = 2
"""How many pages are asked for while one is worked on: the server shall not wait for us."""


class ActorReader:
    """Gives the events of ``selected``, page after page.

    Args:
        history: the actor's.
        selected: which of its events.
    """

    def __init__(self, history: History, selected: ActorRange) -> None:
        self.history = history
        self.selected = selected
        self.head = NO_HEAD  # how far the actor is
        self._begun = False
        self.left = selected.limit
        self.done = False
        self._strays: Items = []
        self._at: Head = NO_HEAD  # how far the pages so far go
        self._next = 1  # the number that the next page starts at (or, in reverse, ends at)
        self._size = FIRST_WINDOW
        self._ahead: deque[tuple[int, int, Exchange]] = deque()

    async def page(self, call: Call) -> Items:
        """Return the next events; an empty page is not the end, ``done`` is."""
        if not self._begun:
            self._begun = True
            return await self._first_page(call)
        if not self._ahead and not self._send_ahead(call):
            self.done = True
            return self._strays
        low, high, exchange = self._ahead.popleft()
        answers = await call.ask(exchange.requests, exchange)
        window = await self.history.complete(call, low, high, answers)
        self._fit(window)
        if self.selected.reverse:
            self._at = NO_HEAD
            if window and window[0].mark is None and low > 1:
                self._at = await self.history.before(call, low) or NO_HEAD
        elif self.left is None:  # a read with a limit asks for what it wants: mostly that is all
            while len(self._ahead) < PAGES_AHEAD and self._send_ahead(call):
                pass
        return self._take(window)

    async def _first_page(self, call: Call) -> Items:
        selected, history = self.selected, self.history
        whole = selected.from_version <= 1 and selected.limit is None and not selected.reverse
        if whole and gives_batches(call, history.stream):
            return await self._short_history(call)
        last = await leader_get(call, history.stream, last_by_subj=history.pattern)
        await self._find_head(call, last)
        return await self.page(call)

    async def _find_head(self, call: Call, last: Stored | None) -> None:
        """Find out how far the actor is, whose last message is ``last``, and where to start."""
        history = self.history
        if last is not None:
            head = own_head(last)
            if head is None:
                head, strays = await history.head_by_reading(call, last)
                self._strays = [stray_error(stray) for stray in strays]
            self.head = head
        await self._find_start(call)

    async def _find_start(self, call: Call) -> None:
        head, selected = self.head, self.selected
        if selected.reverse:
            self._next = head.appends
            if selected.to_version is not None and selected.to_version < head.version:
                _, _, self._next = await self._seek(call, selected.to_version)
        elif selected.from_version > head.version:
            self._next = head.appends + 1
        elif selected.from_version > 1:
            self._next, self._at, _ = await self._seek(call, selected.from_version)

    async def _seek(self, call: Call, version: int) -> tuple[int, Head, int]:
        """Return (low, head before it, high): the append that reaches ``version`` is among them.

        Found by halving, for each append tells how far the actor then is. Where one does not,
        the range stays wider, and more is read.
        """
        low, at, high = 1, NO_HEAD, self.head.appends
        width = FIRST_WINDOW if self.left is None else min(FIRST_WINDOW, max(self.left, 1))
        # Versions rise by one at least with each append (unless malformed ones stand between):
        # the one looked for is not below this number, and mostly it is this very one.
        guess = high - (self.head.version - version)
        probes = [guess, guess - 1]
        while high - low >= width:
            middle = probes.pop() if probes else (low + high) // 2
            if not low <= middle < high:
                continue
            known = await self.history.before(call, middle + 1)
            if known is None:
                break
            if known.version < version:
                low, at = middle + 1, known
            else:
                high = middle
        return low, at, high

    async def _short_history(self, call: Call) -> Items:
        """Read it all with one request, if it is not too much for one."""
        history = self.history
        pattern = history.pattern
        (reply,), replies = await call.ask(
            [
                leader_request(call, history.stream, last_by_subj=pattern),
                call.api_request(
                    f"DIRECT.GET.{history.stream.name}",
                    {"multi_last": [pattern], "max_bytes": 2 * PAGE_BYTES},
                    most=MANY,
                ),
            ]
        )
        last = read_message(reply)
        if last is None:
            self.done = True
            return []
        head = own_head(last)
        if head is not None:
            self.head = head
            found = [from_direct(each) for each in replies[:-1]]
            top = head.appends
            appends = [each for each in found if 0 < _number(each) <= top]
            appends.sort(key=_number)
            self._strays = [stray_error(each) for each in found if not 0 < _number(each) <= top]
            if len(appends) == top:
                # All that the leader told of: the common case.
                self.done = True
                return self._take(appends) + self._strays
        await self._find_head(call, last)
        return await self.page(call)

    def _take(self, window: list[Stored]) -> Items:
        items: Items = []
        for stored in window:
            self._at, more = advance(self._at, stored, self.history.actor_id)
            items += more
        if self.selected.reverse:
            items.reverse()
        return self._select(items)

    def _select(self, items: Items) -> Items:
        """Return what is selected of ``items``; notes when the end is reached."""
        low, high = self.selected.from_version, self.selected.to_version
        if low <= 1 and high is None and self.left is None:
            return items
        chosen: Items = []
        for item in items:
            if isinstance(item, ReplayError):
                chosen.append(item)
                continue
            version = item.version or 0
            if version < low or (high is not None and version > high):
                if (version < low) == self.selected.reverse:  # on the far side
                    self.done = True
                continue
            chosen.append(item)
            if self.left is not None:
                self.left -= 1
                if self.left == 0:
                    self.done = True
                    break
        return chosen

    def _send_ahead(self, call: Call) -> bool:
        """Ask for one more page; False: there is none."""
        size = self._size if self.left is None else min(self._size, max(self.left, 1))
        first = max(1, self.history.first)
        if self.selected.reverse:
            low, high = max(first, self._next - size + 1), self._next
            self._next = low - 1
        else:
            low = max(first, self._next)
            high = min(low + size - 1, self.head.appends)
            self._next = high + 1
        if low > high:
            return False
        requests = self.history.window_requests(call, low, high)
        self._ahead.append((low, high, call.begin(requests)))
        return True

    def _fit(self, window: list[Stored]) -> None:
        """Make the next page about ``PAGE_BYTES`` large."""
        size = sum(len(stored.data) for stored in window)
        if window:
            fitting = PAGE_BYTES * len(window) // max(size, 1)
            self._size = max(1, min(self._size * 4, fitting, LARGEST_WINDOW))


def _number(stored: Stored) -> int:
    return stored.number or 0
