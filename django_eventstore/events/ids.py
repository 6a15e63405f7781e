"""Ids that this process made up and has shown to nobody: no store can hold them yet.

A store without an index of ids (JetStream) has to look through an actor's history before it
saves an event whose id may be there already. An event made here a moment ago needs no such look.
"""

from __future__ import annotations

import os
import time
from typing import Final

_GENERATION: Final = 10_000

# Two generations, so that old ids are dropped without keeping an order. Forgetting one is safe:
# it costs a look. Each step is atomic under the interpreter's lock, so threads need none.
_young: set[str] = set()
_old: set[str] = set()


def new_id() -> str:
    """Return a new UUID of version 7, as text, and remember it as fresh."""
    global _young, _old
    event_id = _uuid7()
    _young.add(event_id)
    if len(_young) >= _GENERATION:
        _old, _young = _young, set()
    return event_id


def _uuid7() -> str:
    """Return a UUID that begins with the time: ids made together lie together in an index.

    RFC 9562, section 5.7: 48 bits of milliseconds, 12 of their fraction (method 3 of section 6.2),
    62 random ones.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = (rest << 12) // 1_000_000
    random = int.from_bytes(os.urandom(8))
    return (
        f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7{fraction:03x}"
        f"-{random >> 50 | 0x8000:04x}-{random & 0xFFFF_FFFF_FFFF:012x}"
    )


def take_fresh(event_id: str) -> bool:
    """Tell whether ``event_id`` is fresh; from now on it is not."""
    for ids in (_young, _old):
        try:
            ids.remove(event_id)
        except KeyError:
            continue
        return True
    return False


def _forget() -> None:
    """After a fork two processes have the same events, and either may save them."""
    _young.clear()
    _old.clear()


os.register_at_fork(before=_forget)
