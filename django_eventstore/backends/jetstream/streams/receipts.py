"""Proof that a stream dropped what it once held because it was max_age old, and nothing else.

Only what the server says of the stream counts, by its own clock: it is the one that drops.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from ..client.call import Call
from .opening import Stream

_LAST: Final = ", last message "
_AT: Final = ", stored at "


async def give_receipt(call: Call, stream: Stream) -> str:
    """Return which stream it is, and how far; for people, too. Empty while the stream is."""
    info = await call.api(f"STREAM.INFO.{stream.name}")
    state = info["state"]
    if not state["messages"]:
        return ""
    return f"{_identity(info)}{_LAST}{state['last_seq']}{_AT}{state['last_ts']}"


async def is_outlived(call: Call, stream: Stream, receipt: str) -> bool:
    """Tell whether all that the stream held at ``receipt`` became max_age old, and is gone.

    False where that is not certain: servers before 2.10 do not say what time it is for them.
    """
    info = await call.api(f"STREAM.INFO.{stream.name}")
    max_age = timedelta(microseconds=info["config"]["max_age"] // 1000)
    identity, _, last = receipt.partition(_LAST)
    if identity != _identity(info) or not max_age or "ts" not in info:
        return False
    sequence, _, stored_at = last.partition(_AT)
    # Gone up to the last one: a stream that was set back is not that far. And purged sooner, all
    # of it would be gone as well.
    is_gone = info["state"]["first_seq"] > int(sequence)
    now, then = map(datetime.fromisoformat, (info["ts"], stored_at))
    return is_gone and now - then >= max_age


def _identity(info: dict[str, Any]) -> str:
    # The moment, to the nanosecond: one that is made anew under the same name has another.
    return f"stream {info['config']['name']}, created {info['created']}"
