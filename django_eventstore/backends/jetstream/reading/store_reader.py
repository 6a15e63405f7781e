"""Reading the whole stream, a page at a time, forwards or backwards."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from ....events import ReplayError
from ...values import ActorRange, Selection
from ..client.call import Call
from ..client.traffic import MANY, Exchange, Reply
from ..codec import POSITION_BITS, decode_own
from ..stored import Stored, from_direct
from ..streams.opening import Stream
from ..version_cache import NO_HEAD, Head
from .actor_reader import ActorReader
from .history import (
    PAGE_BYTES,
    History,
    Items,
    advance,
    gives_batches,
    leader_get,
    read_message,
    stray_error,
)

PAGE: Final = 5000
"""The most messages in a page."""

DECODED_AT_ONCE: Final = 200
"""How many messages of a page are decoded before their events are handed out: so few that they
are still in the processor's caches when they are used."""

OLD_PAGE: Final = 500
"""The same, from servers that give messages one by one."""

FIRST_PAGE_DOWN: Final = 64
"""The most messages in the first page of a backwards read, which has no limit in bytes: the next
ones are as large as this one says."""

STRANGERS: Final = 10_000
"""Of how many actors that others write to the heads are kept while reading."""


class Judge:
    """Tells what the messages of a stream hold, met in the stream's order."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        # Of actors that others write to: how far they are.
        self._heads: OrderedDict[str, Head] = OrderedDict()

    async def items(self, call: Call, stored: Stored) -> Items:
        """Return the events of a message, or the error in its place."""
        own = decode_own(stored)
        if own is not None:
            return [*own]
        actor_id, number = stored.actor_id, stored.number
        if actor_id is not None and number is not None:
            head = self._heads.get(actor_id)
            if head is None or head.appends != number - 1:
                head = await self._before(call, actor_id, number, stored.sequence)
            if head is not None:
                head, items = advance(head, stored, actor_id)
                self._heads[actor_id] = head
                if len(self._heads) > STRANGERS:
                    self._heads.popitem(last=False)
                return [*items]
        return [stray_error(stored)]

    async def _before(self, call: Call, actor_id: str, number: int, sequence: int) -> Head | None:
        history = History(self.stream, actor_id)
        head = await history.before(call, number)
        if head is not None and head.sequence < sequence:
            return head
        # A gap below it: all right for the oldest that is left.
        oldest = await leader_get(call, self.stream, seq=1, next_by_subj=history.pattern)
        return NO_HEAD if oldest is not None and oldest.sequence == sequence else None


class StoreReader:
    """Gives the events of ``selected``, page after page, in position order.

    Reads what was there when it began: the first page asks the leader how far that is.

    Args:
        stream: the stream.
        selected: which events.
    """

    def __init__(self, stream: Stream, selected: Selection) -> None:
        self.stream = stream
        self.selected = selected
        self.judge = Judge(stream)
        self.selector = Selector(selected)
        self._last = False  # is the window the last one?
        self._window: list[Reply | Stored] = []  # what was read, and not decoded yet
        self._low = 0  # the sequences to read: the first...
        self._high = 0  # ... and the last; 0: not known yet
        self._size = PAGE
        self._batches = False  # does the server give many messages for one request?
        self._ahead: Exchange | None = None  # what was asked for from the first on

    @property
    def done(self) -> bool:
        """Whether there is no more."""
        return self.selector.done or (self._last and not self._window)

    async def page(self, call: Call) -> Items:
        """Return the next events; an empty page is not the end, ``done`` is."""
        if not self._window:
            self._window = await self._next_window(call)
            if self.selected.reverse:
                self._window.reverse()
        part, self._window = self._window[:DECODED_AT_ONCE], self._window[DECODED_AT_ONCE:]
        items: Items = []
        for message in part:
            stored = _as_stored(message)
            own = decode_own(stored)
            more = await self.judge.items(call, stored) if own is None else own
            items += reversed(more) if self.selected.reverse else more
        return self.selector.pick(items)

    async def messages(self, call: Call) -> list[Stored]:
        """Return the next messages, in the stream's order."""
        return [_as_stored(message) for message in await self._next_window(call)]

    async def _next_window(self, call: Call) -> list[Reply | Stored]:
        if not self._high:
            await self._find_bounds(call)
        if self._low > self._high:
            self._last = True
            return []
        if self.selected.reverse:
            return await self._messages_down(call)
        return await self._messages_up(call)

    async def _find_bounds(self, call: Call) -> None:
        info = await call.api(f"STREAM.INFO.{self.stream.name}")
        state, selected = info["state"], self.selected
        self._low, self._high = state["first_seq"], state["last_seq"]
        if selected.after is not None:
            self._low = max(self._low, selected.after >> POSITION_BITS)
        if selected.before is not None:
            self._high = min(self._high, selected.before >> POSITION_BITS)
        self._batches = gives_batches(call, self.stream)
        if not self._batches:
            self._size = OLD_PAGE
        if selected.limit is not None and not selected.filters:
            self._size = min(self._size, selected.limit + 1)
        if selected.reverse:
            self._size = min(self._size, FIRST_PAGE_DOWN)
        if not self._high:
            self._low = 1

    async def _messages_up(self, call: Call) -> list[Reply | Stored]:
        exchange = self._ahead or self._begin(call, self._low, self._size)
        window, self._low = await self._collect(call, exchange, self._low)
        self._fit(window)
        self._last = not window or self._low > self._high
        if not self._last:
            # Asked for now, so that it is there when this page has been worked on.
            self._ahead = self._begin(call, self._low, self._size)
        return window

    async def _messages_down(self, call: Call) -> list[Reply | Stored]:
        low = at = max(self._low, self._high - self._size + 1)
        window: list[Reply | Stored] = []
        while at <= self._high:
            exchange = self._begin(call, at, self._high - at + 1)
            part, at = await self._collect(call, exchange, at)
            window += part
            if not part:
                break
        self._high = low - 1
        self._size *= 4  # across what was removed in few steps
        self._fit(window)
        self._last = self._low > self._high
        return window

    def _begin(self, call: Call, low: int, size: int) -> Exchange:
        """Ask for ``size`` messages from ``low`` on."""
        name = self.stream.name
        if self._batches:
            query = {
                "seq": low,
                "next_by_subj": self.stream.all_events,
                "batch": size,
                "max_bytes": PAGE_BYTES,
            }
            return call.begin([call.api_request(f"DIRECT.GET.{name}", query, most=MANY)])
        verb = "DIRECT.GET" if self.stream.direct else "STREAM.MSG.GET"
        sequences = range(low, min(low + size, self._high + 1))
        return call.begin([call.api_request(f"{verb}.{name}", {"seq": at}) for at in sequences])

    async def _collect(
        self, call: Call, exchange: Exchange, low: int
    ) -> tuple[list[Reply | Stored], int]:
        """Return the messages up to the last to be read, and the sequence to go on at."""
        answers = await call.ask(exchange.requests, exchange)
        window: list[Reply | Stored]
        if self._batches:
            window = [*answers[0][:-1]]  # what comes last is the status
        elif self.stream.direct:
            window = [reply for (reply,) in answers if not reply.status]
        else:
            found = [read_message(reply) for (reply,) in answers]
            window = [stored for stored in found if stored is not None]
        if not window:
            # The end; or this replica is behind, or much was removed. The leader knows.
            following = await leader_get(
                call, self.stream, seq=low, next_by_subj=self.stream.all_events
            )
            window = [] if following is None else [following]
        if not window:
            return [], self._high + 1
        end = _as_stored(window[-1]).sequence + 1
        if end > self._high + 1:  # newer ones than are to be read
            window = [each for each in window if _as_stored(each).sequence <= self._high]
        return window, end

    def _fit(self, window: Sequence[Reply | Stored]) -> None:
        """Make the next page about ``PAGE_BYTES`` large."""
        if window:
            size = sum(len(stored.data) for stored in window) + 300 * len(window)
            most = PAGE if self._batches else OLD_PAGE
            self._size = max(1, min(most, PAGE_BYTES * len(window) // size))
        if self.selector.left is not None and not self.selected.filters:
            self._size = min(self._size, self.selector.left + 1)


def _as_stored(message: Reply | Stored) -> Stored:
    return message if isinstance(message, Stored) else from_direct(message)


class Selector:
    """Picks what is selected out of what is read, in order.

    Attributes:
        left: how many more events are wanted, or None.
        done: whether the limit is reached.
    """

    def __init__(self, selected: Selection) -> None:
        self.selected = selected
        self.left = selected.limit
        self.done = False

    def pick(self, items: Items) -> Items:
        """Return what is selected of ``items``."""
        selected = self.selected
        after, before = selected.after, selected.before
        if after is None and before is None and self.left is None and not selected.filters:
            return items
        chosen: Items = []
        for item in items:
            place = item.position or 0
            if (after is not None and place <= after) or (before is not None and place >= before):
                continue
            if isinstance(item, ReplayError):
                if selected.actor_id is None or item.actor_id in (None, selected.actor_id):
                    chosen.append(item)
            elif selected.matches(item):
                chosen.append(item)
                if self.left is not None:
                    self.left -= 1
                    if self.left == 0:
                        self.done = True
                        break
        return chosen


class ActorSelection:
    """Gives the events of ``selected`` that belong to one actor, page after page.

    Args:
        history: the actor's.
        selected: which of its events.
    """

    def __init__(self, history: History, selected: Selection) -> None:
        self._reader = ActorReader(history, ActorRange(reverse=selected.reverse))
        self._selector = Selector(selected)

    @property
    def done(self) -> bool:
        """Whether there is no more."""
        return self._reader.done or self._selector.done

    async def page(self, call: Call) -> Items:
        """Return the next events; an empty page is not the end, ``done`` is."""
        return self._selector.pick(await self._reader.page(call))
