"""How many events a stream holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ...values import Selection, StoreStatistics
from ..client.call import Call
from ..client.traffic import MANY
from ..codec import POSITION_BITS
from ..reading.headers import read_headers
from ..reading.history import gives_batches, is_whole, subjects_info
from ..reading.store_reader import PAGE, StoreReader
from ..stored import Stored, read_left
from ..streams.opening import Stream

SAMPLES: Final = 5
SAMPLE_SIZE: Final = 200
"""From how many places of a large stream appends are taken for an estimate, and how many there."""

COUNTING_SECONDS: Final = 60
"""How long to wait for how many actors there are. The server looks at all their subjects: a part of
a second where there are a million, several when it is busy. To ask again meanwhile, as for other
questions, would only double its work."""

_ADDED: Final = b"\r\nNats-Stream: "

RECORD_BYTES: Final = 30
"""What the server's files hold of a message beside its subject, headers and data."""


async def count_all(stream: Stream, call: Callable[[], Call]) -> int:
    """Return how many events (malformed ones too) there are.

    An append says in its header how many events it holds, so headers are all that is read; of a
    page with messages that others wrote, the payloads too.
    """
    state = (await call().api(f"STREAM.INFO.{stream.name}"))["state"]
    if state["messages"] <= PAGE:
        return await _count_from(stream, call, 1)
    count = 0
    start = 1
    async for messages, sequence, _left in read_headers(call, stream, stream.all_events, 1):
        marks = [Stored(each.subject, 0, b"", each.headers, b"").mark for each in messages]
        if None in marks:
            count += await _count_from(stream, call, start, sequence)
        else:
            count += sum(mark.events for mark in marks if mark is not None)
        start = sequence + 1
    # What is left came meanwhile; or the replica that the reader read from was behind.
    return count + await _count_from(stream, call, start)


async def _count_from(
    stream: Stream, call: Callable[[], Call], first: int, last: int | None = None
) -> int:
    """Return how many events there are in the messages from one sequence on, or to another."""
    before = None if last is None else last << POSITION_BITS
    reader = StoreReader(stream, Selection(after=first << POSITION_BITS, before=before))
    count = 0
    while not reader.done:
        for stored in await reader.messages(call()):
            mark = stored.mark
            if mark is not None:
                count += mark.events
            else:
                count += len(await reader.judge.items(call(), stored))
    return count


async def estimate(stream: Stream, call: Callable[[], Call]) -> StoreStatistics:
    """Return how much the stream holds, from its figures and some of its appends.

    Exact for as many appends as fit one page. Beyond, some from all parts of the stream tell how
    many bytes an event takes: that differs less than how many events an append holds. Each
    actor's first append names it; where old appends were removed, actors that lost theirs are
    missing.
    """
    state = (await call().api(f"STREAM.INFO.{stream.name}"))["state"]
    actors = await _count_first_appends(stream, call(), at_most=state["messages"])
    whole = is_whole(state)
    details = {name: state[name] for name in ("messages", "bytes", "first_seq", "last_seq")}
    if state["messages"] <= PAGE:
        count = await _count_from(stream, call, 1)
        return StoreStatistics(count, actors, not whole, details)
    step = (state["last_seq"] - state["first_seq"]) // SAMPLES
    sample = []
    for number in range(SAMPLES):
        start = (state["first_seq"] + number * step) << POSITION_BITS
        selected = Selection(after=start, limit=SAMPLE_SIZE)
        sample += await StoreReader(stream, selected).messages(call())
    events = sum(1 if stored.mark is None else stored.mark.events for stored in sample)
    size = sum(map(_size, sample))
    count = round(state["bytes"] * events / size) if size else 0
    return StoreStatistics(count, actors, True, details)


def _size(stored: Stored) -> int:
    """Return about how many bytes a message takes in the server's files."""
    # The server adds headers to the answer to a direct get: they are not stored.
    own = stored.headers.rpartition(_ADDED)[0] or stored.headers
    return RECORD_BYTES + len(stored.subject) + len(own) + len(stored.data)


async def _count_first_appends(stream: Stream, call: Call, at_most: int) -> int:
    """Return how many actors there are that have their first append."""
    pattern = f"{stream.prefix}*.1"
    if at_most > PAGE and gives_batches(call, stream):
        # A batch of one says how many more there are, for a tenth of what a listing takes. If
        # this replica is behind, so is the number.
        query = {"seq": 1, "next_by_subj": pattern, "batch": 1}
        request = call.api_request(f"DIRECT.GET.{stream.name}", query, most=MANY)
        ((first, *_),) = await call.ask([request], patience=COUNTING_SECONDS)
        left = read_left(first)
        if left is not None:
            return left + 1
    # An offset behind the last subject: their number, and no list of them.
    info = await subjects_info(call, stream, pattern, 2**31 - 1, COUNTING_SECONDS)
    return int(info.get("total", 0))
