"""How many events a stream holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..values import Selection, StoreStatistics
from .call import Call
from .codec import POSITION_BITS
from .store_reader import PAGE, StoreReader
from .streams import Stream

SAMPLES: Final = 5
SAMPLE_SIZE: Final = 200
"""From how many places of a large stream appends are taken for an estimate, and how many there."""

RECORD_BYTES: Final = 30
"""What the server's files hold of a message beside its subject, headers and data."""


async def count_all(stream: Stream, call: Callable[[], Call]) -> int:
    """Return how many events (malformed ones too) there are.

    An append says in its header how many events it holds, so that it is not decoded; but all
    are read.
    """
    reader = StoreReader(stream, Selection())
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
    # An offset behind the last subject: their number, and no list of them.
    query = {"subjects_filter": f"{stream.prefix}*.1", "offset": 2**31 - 1}
    info = await call().api(f"STREAM.INFO.{stream.name}", query)
    state, actors = info["state"], info.get("total", 0)
    whole = state["messages"] == state["last_seq"]
    details = {name: state[name] for name in ("messages", "bytes", "first_seq", "last_seq")}
    if state["messages"] <= PAGE:
        count = await count_all(stream, call)
        return StoreStatistics(count, actors, not whole, details)
    step = (state["last_seq"] - state["first_seq"]) // SAMPLES
    sample = []
    for number in range(SAMPLES):
        start = (state["first_seq"] + number * step) << POSITION_BITS
        selected = Selection(after=start, limit=SAMPLE_SIZE)
        sample += await StoreReader(stream, selected).messages(call())
    events = sum(1 if stored.mark is None else stored.mark.events for stored in sample)
    size = sum(
        RECORD_BYTES + len(each.subject) + len(each.headers) + len(each.data) for each in sample
    )
    count = round(state["bytes"] * events / size) if size else 0
    return StoreStatistics(count, actors, True, details)
