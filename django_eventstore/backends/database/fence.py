"""How far a reader of the whole store may go, where transactions commit out of position order.

A position is taken when an event is inserted, and seen when its transaction commits: a later one
may be seen first, and a reader that went past the gap would never see the earlier one. So each
writer shows that it is at work before it takes its first position. When the newest position is
known, and all those who were at work *after* that have ended, nothing can appear at or below it.
Who has not written events is no writer: other transactions hold nobody up, and neither does the
gap that a rollback leaves.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from .tables import EVENTS

logger = logging.getLogger("django_eventstore")

# How long a reader waits for open transactions before it stops in front of the gap, in seconds.
PATIENCE: Final = 1.0
_SHORTEST_PAUSE: Final = 0.001
_LONGEST_PAUSE: Final = 0.05
_POSITIONS: Final = (
    f"SELECT position FROM {EVENTS} WHERE position > %s ORDER BY position LIMIT 10000"
)


WRONG_ISOLATION: Final = (
    "read_all() needs to see what is committed while it reads, which a transaction at the "
    "isolation level REPEATABLE READ or SERIALIZABLE does not show; call it outside of it."
)


class SQLFence(ABC):
    """The fence on one connection, which must see what is committed meanwhile."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection

    def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.fetchall()

    @abstractmethod
    def newest(self) -> int | None:
        """Return the newest position that is visible, or None."""

    @abstractmethod
    def writers(self) -> set[str]:
        """Return the writers at work now (never this connection), by name."""

    @abstractmethod
    def still_working(self, writers: set[str]) -> set[str]:
        """Return those of ``writers`` that have not ended since."""

    def bounds(self, after: int) -> Iterator[int]:
        """Yield positions, ascending, at and below which nothing can appear any more.

        The last is the newest position, or that in front of the first gap that an open
        transaction may still fill.
        """
        newest = self.newest()
        if newest is None or newest <= after:
            return
        writers = self.writers()
        if writers:
            safe = self._before_first_gap(after, newest)
            if safe > after:
                yield safe
            if safe == newest:
                return
            writers = self._wait(writers)
            if writers:
                logger.warning(
                    "Reading the store stopped behind position %d of %d: open transactions may "
                    "still fill the gap (%s). Read on later.",
                    safe,
                    newest,
                    ", ".join(sorted(writers)),
                )
                return
        yield newest

    def _before_first_gap(self, after: int, newest: int) -> int:
        while after < newest:
            found = self.fetch(_POSITIONS, (after,))
            for (position,) in found:
                if position != after + 1:
                    return after
                after = position
            if not found:  # deleted since
                return after
        return newest

    def _wait(self, writers: set[str]) -> set[str]:
        deadline = time.monotonic() + PATIENCE
        pause = _SHORTEST_PAUSE
        while (writers := self.still_working(writers)) and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return writers
