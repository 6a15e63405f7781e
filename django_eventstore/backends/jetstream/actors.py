"""Listing the actors of a stream."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from ...events import Event
from ..cursors import make_cursor
from ..values import ActorPage, ActorRange, ActorSummary
from .actor_reader import ActorReader
from .call import Call
from .codec import decode_own
from .history import MAX_SUBJECTS, History, leader_get, leader_request, list_subjects, read_message
from .names import decode_actor
from .stored import Stored
from .streams import Stream

MOST_NEWCOMERS: Final = 100
"""How many new actors are looked up one by one, before all are listed again."""


class Listing:
    """The ids of all actors of a stream, kept up to date.

    Each actor's first append names it once. To list those subjects takes the server a time that
    grows with their number; so that is done once, and then what is new is added.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: list[str] = []
        self._sequence = 0  # up to which the ids are complete

    async def sorted_ids(
        self, call: Callable[[], Call], stream: Stream, *, first_page: bool
    ) -> list[str]:
        """Return all actor ids in order.

        Where old appends were removed, actors may be gone: then a first page lists all again,
        by all subjects, for an actor may have lost its first one.
        """
        state = (await call().api(f"STREAM.INFO.{stream.name}"))["state"]
        whole = state["messages"] == state["last_seq"]
        if 0 < self._sequence <= state["last_seq"] and (whole or not first_page):
            new = await self._newcomers(call(), stream)
            if new is not None:
                return self._keep(_merged(self._ids, new), state["last_seq"])
        subjects = await list_subjects(call, stream, f"{stream.prefix}*.{'1' if whole else '*'}")
        start = len(stream.prefix)
        tokens = {subject[start:].partition(".")[0] for subject in subjects}
        names = {decode_actor(token.encode()) for token in tokens}
        ids = sorted(name for name in names if name is not None)
        return self._keep(ids, state["last_seq"])

    async def _newcomers(self, call: Call, stream: Stream) -> list[str] | None:
        """Return the actors that came since; None: too many to look up one by one."""
        new: list[str] = []
        at = self._sequence + 1
        while len(new) < MOST_NEWCOMERS:
            stored = await leader_get(call, stream, seq=at, next_by_subj=f"{stream.prefix}*.1")
            if stored is None:
                return new
            at = stored.sequence + 1
            if stored.actor_id is not None:
                new.append(stored.actor_id)
        return None

    def _keep(self, ids: list[str], sequence: int) -> list[str]:
        with self._lock:
            self._ids, self._sequence = ids, sequence
        return ids

    def clear(self) -> None:
        """Forget all: the stream was removed."""
        self._keep([], 0)


def _merged(ids: list[str], new: Sequence[str]) -> list[str]:
    """Return the sorted ``ids`` with ``new`` ones in their places, as a list of its own.

    Others may be reading ``ids``. To sort what is in order but for its end takes few steps.
    """
    if not new:
        return ids
    unknown = {name for name in new if not _holds(ids, name)}
    return sorted([*ids, *unknown])


def _holds(ids: list[str], name: str) -> bool:
    at = bisect_left(ids, name)
    return at < len(ids) and ids[at] == name


async def list_actors(
    call: Callable[[], Call],
    stream: Stream,
    listing: Listing,
    search: str,
    order_by: str,
    limit: int,
    after: str | None,
) -> ActorPage:
    """See ``Backend._list_actors()``; ``order_by`` is ``actor_id`` or ``-actor_id``, ``after``
    the last actor of the page before.
    """
    names = await listing.sorted_ids(call, stream, first_page=after is None)
    descending = order_by.startswith("-")
    if after is not None:
        names = (
            names[: bisect_left(names, after)]
            if descending
            else names[bisect_right(names, after) :]
        )
    found = (name for name in (reversed(names) if descending else names) if search in name)
    names = list(islice(found, limit + 1))
    page = await summaries(call(), stream, names[:limit])
    if len(names) <= limit:
        return ActorPage(page)
    return ActorPage(page, make_cursor(order_by, names[limit - 1], names[limit - 1]))


async def summaries(call: Call, stream: Stream, names: Sequence[str]) -> list[ActorSummary]:
    """Return the summaries of ``names``, from the first and last append of each."""
    result = []
    for name, first, last in await _ends(call, stream, names):
        summary = _summary(name, first, last)
        if summary is None:
            summary = await _summary_of_all(call, stream, name)
        if summary is not None:
            result.append(summary)
    return result


async def _ends(
    call: Call, stream: Stream, names: Sequence[str]
) -> list[tuple[str, Stored | None, Stored | None]]:
    """Return each name with the first and the last append of the actor."""
    found: list[tuple[str, Stored | None, Stored | None]] = []
    for start in range(0, len(names), MAX_SUBJECTS):
        part = names[start : start + MAX_SUBJECTS]
        requests = []
        for name in part:
            pattern = f"{History(stream, name).subject}*"
            requests.append(leader_request(call, stream, seq=1, next_by_subj=pattern))
            requests.append(leader_request(call, stream, last_by_subj=pattern))
        messages = [read_message(replies[0]) for replies in await call.ask(requests)]
        found += zip(part, messages[::2], messages[1::2], strict=True)
    return found


def _summary(name: str, first: Stored | None, last: Stored | None) -> ActorSummary | None:
    """Return the summary that two messages of our own tell; None where they do not."""
    if first is None or last is None:
        return None
    oldest, newest = decode_own(first), decode_own(last)
    if not oldest or not newest or first.mark is None or last.mark is None:
        return None
    # What was removed before the first one is in its total, and in no message any more.
    count = last.mark.total - first.mark.total + first.mark.events
    return ActorSummary(name, last.mark.version, count, oldest[0].timestamp, newest[-1].timestamp)


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
    return ActorSummary(name, last.version, count, first.timestamp, last.timestamp)
