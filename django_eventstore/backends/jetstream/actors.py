"""Listing the actors of a stream."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, NamedTuple

from ...events import Event
from ..cursors import make_cursor
from ..values import ActorPage, ActorRange, ActorSummary, Selection
from .actor_reader import ActorReader
from .call import Call
from .codec import POSITION_BITS, decode_own
from .history import (
    LISTING_SECONDS,
    MAX_SUBJECTS,
    PAGE_BYTES,
    History,
    gives_batches,
    leader_get,
    leader_request,
    list_subjects,
    read_message,
)
from .names import decode_actor
from .store_reader import StoreReader
from .stored import Stored, from_direct
from .streams import Stream

NEWS_PAGE: Final = 1000
NEWS_PAGES: Final = 100
"""How many new actors are asked for at a time, and how often before all are listed again. Servers
that give messages one by one give one at a time."""


class Listed(NamedTuple):
    """Actors of a stream: all up to a sequence, and perhaps some that are gone; in order."""

    ids: list[str]
    sequence: int


class Listing:
    """The ids of all actors of a stream, kept up to date.

    Listing all takes a time that grows with their number; so that is done once, and then what is
    new is added. Actors whose events have all been removed meanwhile are still in it: who looks
    at them drops them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listed = Listed([], 0)

    async def update(self, call: Callable[[], Call], stream: Stream) -> Listed:
        """Return all actors of now."""
        state = (await call().api(f"STREAM.INFO.{stream.name}"))["state"]
        ids, sequence = self._listed
        if sequence > state["last_seq"]:  # it is another stream
            ids, sequence = [], 0
        new: Iterable[str] | None
        if state["messages"] < state["last_seq"]:
            # Old appends were removed: actors may have lost their first one, new ones too.
            new = await _ids_of_appends(call, stream, sequence)
        else:
            new = await _newcomers(call, stream, sequence) if sequence else None
            if new is None:
                new = await _ids_of_first_appends(call, stream)
        listed = Listed(_merged(ids, new), state["last_seq"])
        with self._lock:
            self._listed = listed
        return listed

    def drop(self, listed: Listed, gone: set[str]) -> None:
        """Forget actors that are ``gone`` from what update() returned."""
        with self._lock:
            # Not if another thread has looked since: one of them may be back.
            if self._listed is listed:
                ids = [name for name in listed.ids if name not in gone]
                self._listed = Listed(ids, listed.sequence)

    def clear(self) -> None:
        """Forget all: the stream was removed."""
        with self._lock:
            self._listed = Listed([], 0)


async def _newcomers(call: Callable[[], Call], stream: Stream, sequence: int) -> list[str] | None:
    """Return the actors that came after ``sequence``; None: so many that to list all is better."""
    new: list[str] = []
    at = sequence + 1
    for _ in range(NEWS_PAGES):
        page = await _first_appends(call(), stream, at)
        if not page:
            return new
        at = page[-1].sequence + 1
        new += [stored.actor_id for stored in page if stored.actor_id is not None]
    return None


async def _ids_of_first_appends(call: Callable[[], Call], stream: Stream) -> set[str]:
    """Return the actors that have their first append."""
    subjects = await list_subjects(call, stream, f"{stream.prefix}*.1", LISTING_SECONDS)
    start = len(stream.prefix)
    names = (decode_actor(subject[start:-2].encode()) for subject in subjects)
    return {name for name in names if name is not None}


async def _ids_of_appends(call: Callable[[], Call], stream: Stream, sequence: int) -> set[str]:
    """Return the actors of all messages from ``sequence`` on.

    That takes a time that grows with their number; to list their subjects, its square.
    """
    reader = StoreReader(stream, Selection(after=sequence << POSITION_BITS))
    names: set[str | None] = set()
    while not reader.done:
        names.update(stored.actor_id for stored in await reader.messages(call()))
    return {name for name in names if name is not None}


async def _first_appends(call: Call, stream: Stream, at: int) -> list[Stored]:
    """Return the next first appends of actors, from sequence ``at`` on; none: there are none."""
    query = {"seq": at, "next_by_subj": f"{stream.prefix}*.1"}
    if gives_batches(call, stream):
        request = call.api_request(
            f"DIRECT.GET.{stream.name}",
            {**query, "batch": NEWS_PAGE, "max_bytes": PAGE_BYTES},
            many=True,
        )
        ((*messages, _status),) = await call.ask([request])
        if messages:
            return [from_direct(message) for message in messages]
    # That none is there is for the leader to say.
    stored = await leader_get(call, stream, **query)
    return [] if stored is None else [stored]


def _merged(ids: list[str], new: Iterable[str]) -> list[str]:
    """Return the sorted ``ids`` with ``new`` ones in their places, as a list of its own.

    Others may be reading ``ids``. To sort what is in order but for its end takes few steps.
    """
    unknown = {name for name in new if not _holds(ids, name)}
    return sorted([*ids, *unknown]) if unknown else ids


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
    listed = await listing.update(call, stream)
    ids = listed.ids
    descending = order_by.startswith("-")
    if after is None:
        names = ids
    elif descending:
        names = ids[: bisect_left(ids, after)]
    else:
        names = ids[bisect_right(ids, after) :]
    found = (name for name in (reversed(names) if descending else names) if search in name)
    shown: list[tuple[str, ActorSummary | None]] = []
    gone: set[str] = set()
    # One more than wanted tells whether there is a next page. Where many are gone, many at a time.
    while len(shown) <= limit:
        step = min(limit + 1 - len(shown) + len(gone), MAX_SUBJECTS)
        part = list(islice(found, step))
        if not part:
            break
        there = await summaries(call(), stream, part)
        gone.update(name for name in part if name not in there)
        shown += there.items()
    if gone:
        listing.drop(listed, gone)
    page = [summary for _, summary in shown[:limit] if summary is not None]
    if len(shown) <= limit:
        return ActorPage(page)
    last, _ = shown[limit - 1]
    return ActorPage(page, make_cursor(order_by, last, last))


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


def _summary(name: str, first: Stored | None, last: Stored) -> ActorSummary | None:
    """Return the summary that two messages of our own tell; None where they do not."""
    if first is None:
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
