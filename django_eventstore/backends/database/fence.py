"""How far a reader of the whole store may go, where transactions commit out of position order.

A position is taken when an event is inserted, and seen when its transaction commits: a later one
may be seen first, and a reader that went past the gap would never see the earlier one. So before
a transaction takes its first position it announces, in a way that ends with it, the newest one
there is: all of its own will be above. A reader notes the newest position that it can see, *then*
who is writing: nothing can appear any more at or below what the open transactions announced, nor,
once those have ended, at or below the position noted. Who does not write events announces
nothing, so other transactions hold nobody up, and neither does the gap that a rollback leaves.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Final

from .vendor import Vendor

logger = logging.getLogger("django_eventstore")

# How long a reader waits for open transactions before it stops in front of the gap, in seconds.
PATIENCE: Final = 1.0
_SHORTEST_PAUSE: Final = 0.001
_LONGEST_PAUSE: Final = 0.05

WRONG_ISOLATION: Final = (
    "read_all() needs to see what is committed while it reads, which a transaction at the "
    "isolation level REPEATABLE READ or SERIALIZABLE does not show; call it outside of it."
)


class SQLFence(ABC):
    """The fence on one connection, which must see what is committed meanwhile."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self.connection = vendor.connection
        self.fetch = vendor.fetch

    @abstractmethod
    def newest(self) -> int | None:
        """Return the newest position that is visible, or None."""

    @abstractmethod
    def writers(self) -> dict[str, int]:
        """Return who is writing (but for this connection): a name, and the announced position.

        That is -1 for one who has announced nothing (yet).
        """

    def bounds(self, after: int) -> Iterator[int]:
        """Yield positions, ascending, at and below which nothing can appear any more.

        The last is the newest position, or what open transactions announced.
        """
        newest = self.newest()
        if newest is None or newest <= after:
            return
        waited_for = _below(newest, self.writers())
        deadline = time.monotonic() + PATIENCE
        pause = _SHORTEST_PAUSE
        while waited_for:
            safe = min(waited_for.values())
            if safe > after:
                after = safe
                yield safe
            if time.monotonic() > deadline:
                logger.warning(
                    "Reading the store stopped behind position %d of %d: open transactions may "
                    "still fill gaps there (%s). Read on later.",
                    after,
                    newest,
                    ", ".join(sorted(waited_for)),
                    extra={"position": after, "newest_position": newest},
                )
                return
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            # Who began since takes positions above the newest.
            now = _below(newest, self.writers())
            waited_for = {name: low for name, low in now.items() if name in waited_for}
        yield newest


def _below(newest: int, writers: dict[str, int]) -> dict[str, int]:
    return {name: low for name, low in writers.items() if low < newest}
