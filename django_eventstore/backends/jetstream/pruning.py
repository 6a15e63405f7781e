"""Removing an actor's old appends, so that no writer ever meets a freed subject."""

from __future__ import annotations

from datetime import UTC, datetime

from ...events import Event
from ...exceptions import UnsupportedOperation
from . import config
from .client.call import ApiError, Call, read_api_reply
from .reading.history import MAX_SUBJECTS, History, advance
from .stored import Stored
from .version_cache import NO_HEAD


async def prune(call: Call, history: History, to_version: int) -> int:
    """Remove the actor's appends up to ``to_version``; return how many events went.

    An append goes as a whole. The newest one stays, and so does all that is so young that a
    writer may still hold a head from before it: that writer must find the next subject taken.

    Raises:
        UnsupportedOperation: the stream denies deletion.
    """
    if history.stream.config.get("deny_delete"):
        raise UnsupportedOperation(
            f"The stream {history.stream.name!r} was made with deny_delete: nothing in it can be "
            f"removed before it is max_age old."
        )
    head = await history.head(call)
    removed = 0
    low = 1
    while low < head.appends:
        high = min(low + MAX_SUBJECTS - 1, head.appends - 1)
        window = await history.window(call, low, high)
        part = [stored for stored in window if _may_go(stored, history.actor_id, to_version)]
        if part and part == window[: len(part)]:
            removed += await _remove(call, history, part)
        if len(part) < len(window):
            break
        low = high + 1
    return removed


def _may_go(stored: Stored, actor_id: str, to_version: int) -> bool:
    if datetime.now(UTC) - datetime.fromisoformat(stored.time.decode()) < 2 * config.HEAD_LIFETIME:
        return False
    head, items = advance(NO_HEAD, stored, actor_id)
    return head.version <= to_version and all(isinstance(item, Event) for item in items)


async def _remove(call: Call, history: History, window: list[Stored]) -> int:
    name = history.stream.name
    requests = [
        call.api_request(f"STREAM.MSG.DELETE.{name}", {"seq": stored.sequence, "no_erase": True})
        for stored in window
    ]
    count = 0
    for stored, (reply,) in zip(window, await call.ask(requests), strict=True):
        try:
            read_api_reply(reply)
        except ApiError as error:
            if error.code == 400:
                continue
            raise
        mark = stored.mark
        count += 1 if mark is None else mark.events
    return count
