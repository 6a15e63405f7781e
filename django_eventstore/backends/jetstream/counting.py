"""How many events a stream holds."""

from __future__ import annotations

from collections.abc import Callable

from ..base import Selection
from .call import Call
from .store_reader import StoreReader
from .streams import Stream


async def count_messages(stream: Stream, selected: Selection, call: Callable[[], Call]) -> int:
    """Return how many events (malformed ones too) are selected.

    An append says in its header how many events it holds, so that without filters none of them
    is decoded; but all are read.
    """
    reader = StoreReader(stream, selected)
    count = 0
    while not reader.done:
        if selected.filters:
            count += len(await reader.page(call()))
            continue
        for stored in await reader.messages(call()):
            count += 1 if stored.mark is None else stored.mark.events
    return count
