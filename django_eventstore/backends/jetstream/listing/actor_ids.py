"""The ids of all actors of a stream, kept up to date."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from ..client.call import Call
from ..client.operation import Turns
from ..client.traffic import MANY
from ..names import decode_actor
from ..reading.headers import read_headers
from ..reading.history import PAGE_BYTES, gives_batches, is_whole, leader_get
from ..stored import Stored, from_direct, read_left
from ..streams.opening import Stream

NEWS_PAGE: Final = 1000
NEWS_PAGES: Final = 2
"""How many messages are asked for at a time to see what is new, and how often; servers that give
messages one by one give one at a time. If there are more, a reader is worth its while."""

MANY_NEW: Final = 10_000
"""How far from the end of the stream it is worth while to look at first appends before all."""

FEW: Final = 20
"""Of how many times as many actors those found are few: then each is looked up by itself."""

_TURN: Final = "listing"


class Listed(NamedTuple):
    """Actors of a stream.

    Attributes:
        ids: in order; perhaps with some that are gone.
        coverage: the share of the stream that was looked through for them; 1.0: all of it.
    """

    ids: list[str]
    coverage: float


@dataclass(slots=True)
class Progress:
    """How far a stream was looked through.

    Attributes:
        sequence: up to which one.
        looked_at: how many messages were looked at...
        left: ... and how many more there are, as far as is known.
    """

    sequence: int = 0
    looked_at: int = 0
    left: int = 0


class ActorIds:
    """The ids of all actors of a stream.

    They are found by reading the subjects of first appends, in the stream's order; so what was
    found is kept, and the next one who asks goes on from there. Where old appends have been
    removed, actors may have lost their first one: then those of all others are read, too.

    Actors whose events have all been removed meanwhile are still in it: who looks at them drops
    them.
    """

    def __init__(self) -> None:
        self._turns = Turns()
        self._lock = threading.Lock()
        self._created = ""  # when the stream was
        self._start_anew()

    def _start_anew(self) -> None:
        self._firsts = Progress()  # of looking at first appends
        self._all = Progress()  # of finding all actors
        self._found: set[str] = set()  # and are not in the list yet
        self._listed = Listed([], 0.0)

    async def update(self, call: Callable[[], Call], stream: Stream, until: float) -> Listed:
        """Return all actors of now; or, at ``until``, those that were found by then.

        Several at once take turns: one reads, for all of them.
        """
        if not await self._turns.take(_TURN, until):
            return self._listed._replace(coverage=self._share)
        try:
            coverage = await self._advance(call, stream, until)
            listed = Listed(_merged(self._listed.ids, self._found), coverage)
            with self._lock:
                self._listed = listed
            self._found = set()
        finally:
            self._turns.give(_TURN)
        return self._listed

    def drop(self, listed: Listed, gone: set[str]) -> None:
        """Forget actors that are ``gone`` from what update() returned."""
        left = listed._replace(ids=[name for name in listed.ids if name not in gone])
        with self._lock:
            # Not if another thread has looked since: one of them may be back.
            if self._listed is listed:
                self._listed = left

    @property
    def _share(self) -> float:
        """The share that was looked through of a stream that has more."""
        looked_at = self._firsts.looked_at + self._all.looked_at
        return looked_at / (looked_at + max(1, self._firsts.left + self._all.left))

    async def _advance(self, call: Callable[[], Call], stream: Stream, until: float) -> float:
        """Look through the stream from where it ended last, and return how much was."""
        firsts = f"{stream.prefix}*.1"
        while True:
            state = await self._state(call, stream)
            last = state["last_seq"]
            if self._all.sequence >= last:
                return 1.0
            if is_whole(state):
                await self._look_through(call, stream, firsts, self._firsts, last, until)
                # Otherwise an actor may have lost its first append before that was looked at.
                if is_whole(await self._state(call, stream)):
                    self._all = replace(self._firsts)
            elif max(self._firsts.sequence, self._all.sequence) < last - MANY_NEW:
                # By this most actors are found soon.
                self._all.left = state["messages"]
                await self._look_through(call, stream, firsts, self._firsts, last, until)
            else:
                await self._look_through(call, stream, stream.all_events, self._all, last, until)
            if self._all.sequence >= last:
                return 1.0
            if time.monotonic() >= until:
                return self._share

    async def _state(self, call: Callable[[], Call], stream: Stream) -> dict[str, int]:
        """Return what the stream holds; starts anew if that is not what was looked through."""
        info = await call().api(f"STREAM.INFO.{stream.name}")
        state: dict[str, int] = info["state"]
        # Made anew, or set back: restored from a backup, or lost with its server's memory.
        if info["created"] != self._created or state["last_seq"] < max(
            self._firsts.sequence, self._all.sequence
        ):
            self._start_anew()
            self._created = info["created"]
        return state

    async def _look_through(
        self,
        call: Callable[[], Call],
        stream: Stream,
        pattern: str,
        progress: Progress,
        last: int,
        until: float,
    ) -> None:
        """Look at what is on ``pattern``, up to sequence ``last``."""
        pages = 0
        # However late it is, a step is made each time.
        while progress.sequence < last:
            start = progress.sequence + 1
            if pages < NEWS_PAGES:
                pages += 1
                page, left = await _next_messages(call(), stream, pattern, start)
                at = page[-1].sequence if page else last
                self._note(progress, (each.actor_id for each in page), len(page), at, left)
            else:
                pages = 0
                async for news, at, left in read_headers(call, stream, pattern, start, until):
                    tokens = {message.subject.rsplit(b".", 2)[1] for message in news}
                    self._note(progress, map(decode_actor, tokens), len(news), at, left)
            if time.monotonic() >= until:
                break

    def _note(
        self,
        progress: Progress,
        names: Iterable[str | None],
        count: int,
        sequence: int,
        left: int | None,
    ) -> None:
        self._found.update(name for name in names if name is not None)
        progress.looked_at += count
        progress.sequence = sequence
        progress.left = max(0, progress.left - count) if left is None else left


async def _next_messages(
    call: Call, stream: Stream, pattern: str, at: int
) -> tuple[list[Stored], int | None]:
    """Return the next messages on ``pattern``, from sequence ``at`` on; none: there are none.

    And how many there are after them, where the server tells.
    """
    query = {"seq": at, "next_by_subj": pattern}
    if gives_batches(call, stream):
        request = call.api_request(
            f"DIRECT.GET.{stream.name}",
            {**query, "batch": NEWS_PAGE, "max_bytes": PAGE_BYTES},
            most=MANY,
        )
        ((*messages, _status),) = await call.ask([request])
        if messages:
            return [from_direct(message) for message in messages], read_left(messages[-1])
    # That none is there is for the leader to say.
    stored = await leader_get(call, stream, **query)
    return ([], 0) if stored is None else ([stored], None)


def _merged(ids: list[str], found: set[str]) -> list[str]:
    """Return the sorted ``ids`` with those ``found`` in their places, as a list of its own.

    Others may be reading ``ids``. To sort what is in order but for its end takes few steps.
    """
    if len(found) * FEW < len(ids):
        unknown = {name for name in found if not _holds(ids, name)}
    else:
        unknown = found.difference(ids)
    return sorted([*ids, *unknown]) if unknown else ids


def _holds(ids: list[str], name: str) -> bool:
    at = bisect_left(ids, name)
    return at < len(ids) and ids[at] == name
