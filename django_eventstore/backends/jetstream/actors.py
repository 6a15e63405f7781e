"""Listing the actors of a stream."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from ...events import Event
from ..base import ActorPage, ActorRange, ActorSummary, make_cursor
from .actor_reader import ActorReader
from .call import Call
from .codec import Stored, decode_own
from .history import History, leader_request, list_subjects, read_message
from .names import decode_actor
from .streams import Stream


async def list_actors(
    call: Call, stream: Stream, search: str, order_by: str, limit: int, after: str | None
) -> ActorPage:
    """See ``Backend._list_actors()``; ``order_by`` is ``actor_id`` or ``-actor_id``, ``after``
    the last actor of the page before.
    """
    names = sorted(name for name in await actor_ids(call, stream) if search in name)
    if order_by.startswith("-"):
        names.reverse()
    if after is not None:
        if order_by.startswith("-"):
            names = [name for name in names if name < after]
        else:
            names = names[bisect_right(names, after) :]
    page = await summaries(call, stream, names[:limit])
    more = len(names) > limit
    return ActorPage(
        page, make_cursor(order_by, names[limit - 1], names[limit - 1]) if more else None
    )


async def actor_ids(call: Call, stream: Stream) -> set[str]:
    """Return the ids of all actors.

    Each actor's first append names it once. Where old appends were removed, all subjects have
    to be gone through: one for each append.
    """
    state = (await call.api(f"STREAM.INFO.{stream.name}"))["state"]
    whole = state["messages"] == state["last_seq"]
    subjects = await list_subjects(call, stream, f"{stream.prefix}*.{'1' if whole else '*'}")
    start = len(stream.prefix)
    tokens = {subject[start:].partition(".")[0] for subject in subjects}
    names = {decode_actor(token.encode()) for token in tokens}
    return {name for name in names if name is not None}


async def summaries(call: Call, stream: Stream, names: Sequence[str]) -> list[ActorSummary]:
    """Return the summaries of ``names``, from the first and last append of each."""
    requests = []
    for name in names:
        pattern = f"{History(stream, name).subject}*"
        requests.append(leader_request(call, stream, seq=1, next_by_subj=pattern))
        requests.append(leader_request(call, stream, last_by_subj=pattern))
    if not requests:
        return []
    found = [read_message(replies[0]) for replies in await call.ask(requests)]
    result = []
    for name, first, last in zip(names, found[::2], found[1::2], strict=True):
        summary = _summary(name, first, last)
        if summary is None:
            summary = await _summary_of_all(call, stream, name)
        if summary is not None:
            result.append(summary)
    return result


def _summary(name: str, first: Stored | None, last: Stored | None) -> ActorSummary | None:
    """Return the summary that two messages of our own tell; None where they do not."""
    if first is None or last is None:
        return None
    oldest, newest = decode_own(first, name), decode_own(last, name)
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
