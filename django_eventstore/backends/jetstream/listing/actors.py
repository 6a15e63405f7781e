"""Pages of actors: by id, and by when they were last written to."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from ....events import Event
from ...values import ActorPage, ActorQuery, ActorRange, ActorSummary, Selection, make_cursor
from ..client.call import Call
from ..codec import POSITION_BITS, decode_own
from ..reading.actor_reader import ActorReader
from ..reading.history import MAX_SUBJECTS, History, last_on, leader_get_all
from ..reading.store_reader import StoreReader
from ..stored import Stored
from ..streams.opening import Stream
from .actor_ids import ActorIds

After = tuple[Any, str] | None
"""Behind what a page begins; see ``ActorQuery.after``."""

NOWHERE: Final = "-"
"""Stands in a cursor for an actor, where a page ends between actors."""


async def list_by_id(
    call: Callable[[], Call],
    stream: Stream,
    listing: ActorIds,
    query: ActorQuery,
    after: After,
    until: float,
) -> ActorPage:
    """Return the page that ``query`` asks for, in the order of ids; it begins behind ``after``.

    At ``until`` it is one of the actors that were found by then.
    """
    listed = await listing.update(call, stream, until)
    coverage = listed.coverage
    names = _behind(after, listed.ids, descending=query.descending)
    found = (name for name in names if query.search in name)
    shown: list[tuple[str, ActorSummary | None]] = []
    gone: set[str] = set()
    # One more than wanted tells whether there is a next page. Where many are gone, many at a time.
    while len(shown) <= query.limit:
        step = min(query.limit + 1 - len(shown) + len(gone), MAX_SUBJECTS)
        part = list(islice(found, step))
        if not part:
            break
        if gone and time.monotonic() >= until:
            # They are dropped, so the same question goes on here.
            coverage = min(coverage, (len(shown) + len(gone)) / len(listed.ids))
            break
        there = await summaries(call(), stream, part)
        gone.update(name for name in part if name not in there)
        shown += there.items()
    if gone:
        listing.drop(listed, gone)
    page = [summary for _, summary in shown[: query.limit] if summary is not None]
    if len(shown) <= query.limit:
        return ActorPage(page, coverage=coverage)
    last, _ = shown[query.limit - 1]
    return ActorPage(page, make_cursor(query.order_by, last, last), coverage)


def _behind(after: After, ids: Sequence[str], *, descending: bool) -> Iterator[str]:
    start, stop = 0, len(ids)
    if after is not None and descending:
        stop = bisect_left(ids, after[1])
    elif after is not None:
        start = bisect_right(ids, after[1])
    places = range(start, stop)
    return (ids[place] for place in (reversed(places) if descending else places))


async def list_by_position(
    call: Callable[[], Call], stream: Stream, query: ActorQuery, after: After, until: float
) -> ActorPage:
    """Return the page that ``query`` asks for, in the order of actors' newest events.

    Walks through the stream and shows each actor at its newest event, all as they are now: what is
    written meanwhile changes nothing. At ``until`` the page ends with what was found by then.
    """
    state = (await call().api(f"STREAM.INFO.{stream.name}"))["state"]
    walk = _Walk(stream, query, after, state["last_seq"])
    while not walk.done:
        await walk.step(call)
        if walk.at and time.monotonic() >= until:
            break
    return walk.page(state["first_seq"])


class _Walk:
    """A walk through the stream, from where ``query`` says on, to the end of a page.

    Args:
        stream: the stream.
        query: what is asked for.
        after: behind what to begin.
        last: the stream's last sequence: what comes behind it is not looked at.

    Attributes:
        at: the sequence of the message that was looked at last; 0: none yet.
    """

    def __init__(self, stream: Stream, query: ActorQuery, after: After, last: int) -> None:
        self.at = 0
        self._stream = stream
        self._query = query
        self._last = last
        self._newest: dict[str, int] = {}  # of the actors met: the sequence of the newest event
        self._shown: list[tuple[int, ActorSummary]] = []  # with the sequence
        self._waiting: list[Stored] = []  # were read, and are to be looked at
        selected = Selection(reverse=query.descending, before=last << POSITION_BITS)
        if after is not None and query.descending:
            selected = replace(selected, before=max(0, after[0] - 1) << POSITION_BITS)
        elif after is not None:
            selected = replace(selected, after=after[0] + 1 << POSITION_BITS)
        self._reader = StoreReader(stream, selected)

    @property
    def done(self) -> bool:
        """Whether it has come to the end: of the page, or of the stream."""
        return self._full or (self._reader.done and not self._waiting)

    @property
    def _full(self) -> bool:
        # One more than wanted tells whether there is a next page.
        return len(self._shown) > self._query.limit

    async def step(self, call: Callable[[], Call]) -> None:
        """Go on: as far as the page might be full, or to the end of what was read."""
        if not self._waiting:
            self._waiting = await self._reader.messages(call())
            if self._query.descending:
                self._waiting.reverse()
        part = self._next_part()
        strangers = {name for name, _ in part if name not in self._newest}
        self._newest |= await _newest(call(), self._stream, sorted(strangers))
        ends = await self._where_they_end(call(), part)
        found = await _ends(call(), self._stream, [name for name, _ in ends])
        for (name, end), (_, first, last) in zip(ends, found, strict=True):
            if last is None:  # removed meanwhile
                continue
            pruned = first is None or first.sequence > end.sequence
            summary = _summary(name, first, last if pruned else end)
            summary = summary or await _summary_of_all(call(), self._stream, name)
            if summary is not None:
                self._shown.append((end.sequence, summary))

    def _next_part(self) -> list[tuple[str, Stored]]:
        """Take messages; return those of actors that are searched for, with the actors."""
        room = min(self._query.limit + 1 - len(self._shown), MAX_SUBJECTS)
        part = []
        strangers: set[str] = set()
        taken = 0
        while taken < len(self._waiting) and len(strangers) < room:
            stored = self._waiting[taken]
            taken += 1
            self.at = stored.sequence
            name = stored.actor_id
            if name is not None and self._query.search in name:
                part.append((name, stored))
                if name not in self._newest:
                    strangers.add(name)
        self._waiting = self._waiting[taken:]
        return part

    async def _where_they_end(
        self, call: Call, part: Sequence[tuple[str, Stored]]
    ) -> list[tuple[str, Stored]]:
        """Return those of ``part`` that were the actor's newest event as the walk began."""
        ends = {stored.sequence for name, stored in part if stored.sequence == self._newest[name]}
        # Of an actor that was written to since: the one that is followed by what is too new.
        unsure: dict[str, Stored] = {}
        for name, stored in part:
            if self._newest[name] > self._last and (
                name not in unsure or stored.sequence > unsure[name].sequence
            ):
                unsure[name] = stored
        queries = [
            {"seq": stored.sequence + 1, "next_by_subj": History(self._stream, name).pattern}
            for name, stored in unsure.items()
        ]
        following = await leader_get_all(call, self._stream, queries)
        for stored, later in zip(unsure.values(), following, strict=True):
            if later is None or later.sequence > self._last:
                ends.add(stored.sequence)
        return [each for each in part if each[1].sequence in ends]

    def page(self, first: int) -> ActorPage:
        """Return the page as far as it has come, in a stream that begins at sequence ``first``."""
        order_by, limit = self._query.order_by, self._query.limit
        shown = [summary for _, summary in self._shown[:limit]]
        if self._full:
            sequence, end = self._shown[limit - 1]
            return ActorPage(shown, make_cursor(order_by, sequence, end.actor_id))
        if self.done:
            return ActorPage(shown)
        passed = self._last - self.at if self._query.descending else self.at - first
        coverage = min(1.0, (passed + 1) / (self._last - first + 1))
        return ActorPage(shown, make_cursor(order_by, self.at, NOWHERE), coverage)


async def _newest(call: Call, stream: Stream, names: Sequence[str]) -> dict[str, int]:
    """Return the sequence of each actor's newest event; 0 where there is none."""
    lasts = await leader_get_all(
        call, stream, last_on(History(stream, name).pattern for name in names)
    )
    newest = {}
    for name, last in zip(names, lasts, strict=True):
        if last is None:
            newest[name] = 0
        elif decode_own(last):
            newest[name] = last.sequence
        else:
            summary = await _summary_of_all(call, stream, name)
            end = None if summary is None else summary.last_position
            newest[name] = (end or 0) >> POSITION_BITS
    return newest


async def summaries(
    call: Call, stream: Stream, names: Sequence[str]
) -> dict[str, ActorSummary | None]:
    """Return the summaries of ``names``, from the first and last append of each.

    In their order, without those that are gone; None: only malformed messages are there.
    """
    result = {}
    for name, first, last in await _ends(call, stream, names):
        if last is not None:
            summary = _summary(name, first, last)
            result[name] = summary or await _summary_of_all(call, stream, name)
    return result


async def _ends(
    call: Call, stream: Stream, names: Sequence[str]
) -> list[tuple[str, Stored | None, Stored | None]]:
    """Return each name with the first and the last append of the actor."""
    patterns = [History(stream, name).pattern for name in names]
    firsts = [{"seq": 1, "next_by_subj": pattern} for pattern in patterns]
    found = await leader_get_all(call, stream, firsts + last_on(patterns))
    return list(zip(names, found[: len(names)], found[len(names) :], strict=True))


def _summary(name: str, first: Stored | None, last: Stored) -> ActorSummary | None:
    """Return the summary that two messages of our own tell; None where they do not."""
    if first is None:
        return None
    oldest, newest = decode_own(first), decode_own(last)
    if not oldest or not newest or first.mark is None or last.mark is None:
        return None
    # What was removed before the first one is in its total, and in no message any more.
    count = last.mark.total - first.mark.total + first.mark.events
    end = newest[-1]
    return ActorSummary(
        name, last.mark.version, count, oldest[0].timestamp, end.timestamp, end.position
    )


async def _summary_of_all(call: Call, stream: Stream, name: str) -> ActorSummary | None:
    """Return the summary of an actor that others write to: all of it has to be read."""
    reader = ActorReader(History(stream, name), ActorRange())
    first = last = None
    count = 0
    while not reader.done:
        for item in await reader.page(call):
            if isinstance(item, Event):
                first, last = first or item, item
                count += 1
    if first is None or last is None or last.version is None:
        return None
    return ActorSummary(name, last.version, count, first.timestamp, last.timestamp, last.position)
