"""How many events a stream holds."""

from __future__ import annotations

from collections.abc import Callable

from ..base import Selection, StoreStatistics
from .call import Call
from .store_reader import PAGE, StoreReader
from .streams import Stream


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
    """Return how much the stream holds, from its figures and its newest appends.

    Exact for as many appends as fit one page. Beyond, the newest ones tell how many events an
    append holds. Each actor's first append names it; where old appends were removed, actors that
    lost theirs are missing.
    """
    # An offset behind the last subject: their number, and no list of them.
    query = {"subjects_filter": f"{stream.prefix}*.1", "offset": 2**31 - 1}
    info = await call().api(f"STREAM.INFO.{stream.name}", query)
    state, actors = info["state"], info.get("total", 0)
    whole = state["messages"] == state["last_seq"]
    if state["messages"] <= PAGE:
        count = await count_all(stream, call)
        return StoreStatistics(count, actors, estimated=not whole)
    newest = await StoreReader(stream, Selection(reverse=True)).messages(call())
    events = sum(1 if stored.mark is None else stored.mark.events for stored in newest)
    count = round(state["messages"] * events / len(newest)) if newest else 0
    return StoreStatistics(count, actors, estimated=True)
