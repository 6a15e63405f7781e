"""Ids that this process made up and has shown to nobody: no store can hold them yet.

A store without an index of ids (JetStream) has to look through an actor's history before it
saves an event whose id may be there already. An event made here a moment ago needs no such look.
"""

from __future__ import annotations

import os
from typing import Final

_GENERATION: Final = 10_000

# RFC 9562: of the 128 bits four say "version 4", two say "variant 1".
_RANDOM: Final = (1 << 128) - 1 & ~(0xF << 76) & ~(0x3 << 62)
_VERSION_4: Final = 4 << 76 | 2 << 62

# Two generations, so that old ids are dropped without keeping an order. Forgetting one is safe:
# it costs a look. Each step is atomic under the interpreter's lock, so threads need none.
_young: set[str] = set()
_old: set[str] = set()


def new_id() -> str:
    """Return a new random UUID, as text, and remember it as fresh."""
    global _young, _old
    event_id = _uuid4()
    _young.add(event_id)
    if len(_young) >= _GENERATION:
        _old, _young = _young, set()
    return event_id


def _uuid4() -> str:
    """Return what ``str(uuid.uuid4())`` does, in a third of the time: one is made per event."""
    number = int.from_bytes(os.urandom(16), "big") & _RANDOM | _VERSION_4
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


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
