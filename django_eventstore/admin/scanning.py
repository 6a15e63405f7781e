"""Reading within bounds: however long a history is, a page answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

Item = TypeVar("Item")
Kept = TypeVar("Kept")


class Deadline:
    """A moment after which a page stops reading.

    Args:
        seconds: how far away it is.
    """

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """The seconds until then; once it is over, next to none."""
        return max(0.001, self._until - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether it is over."""
        return time.monotonic() >= self._until


@dataclass(slots=True)
class Scan(Generic[Item, Kept]):
    """What a bounded look found.

    Attributes:
        found: what was kept.
        looked_at: how many items were looked at.
        last: the last one that was looked at, or None.
        done: whether nothing is left to look at.
    """

    found: list[Kept] = field(default_factory=list)
    looked_at: int = 0
    last: Item | None = None
    done: bool = False


def scan(
    items: Iterator[Item],
    keep: Callable[[Item], Kept | None],
    deadline: Deadline,
    *,
    wanted: int | None = None,
    at_most: int | None = None,
) -> Scan[Item, Kept]:
    """Look through ``items`` until ``wanted`` are found, the time is over, or ``at_most`` are seen.

    ``keep`` returns what to keep of an item, None for nothing. ``items`` is a generator; it is
    closed, so that a database cursor behind it is not left open.
    """
    result: Scan[Item, Kept] = Scan()
    with closing(cast("Generator[Item, None, None]", items)):
        for item in items:
            result.looked_at += 1
            result.last = item
            kept = keep(item)
            if kept is not None:
                result.found.append(kept)
            is_enough = len(result.found) == wanted or result.looked_at == at_most
            if is_enough or deadline.passed:
                return result
    result.done = True
    return result
