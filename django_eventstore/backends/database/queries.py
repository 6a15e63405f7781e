"""Reading events: by key, a page at a time, so that memory is bounded and no cursor stays open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from ...events import Event, ReplayError
from ...events.validation import MAX_TEXT_LENGTH
from ..values import ActorRange, Selection
from .rows import DATA, POSITION, VERSION, Row, decode_events
from .tables import EVENTS
from .vendor import Vendor

Fetch: TypeAlias = Callable[[str, Sequence[Any]], list[Row]]

# Rows of the first page; later ones hold about as many bytes of data as this.
_FIRST_PAGE: Final = 256
_PAGE_BYTES: Final = 4_000_000
_LARGEST_PAGE: Final = 5_000


class EventQuery:
    """One read of events in the order of their version or position.

    Args:
        vendor: how the database reads.
        fetch: returns the rows of a statement.
        conditions: what the events must fulfil, each with its parameters.
        key: what orders the events.
        reverse: whether the newest is first.
        limit: the most events.
        correlation_id: what the events must carry, where it is longer than its column.

    Attributes:
        left: how many events may still be yielded, or None. Malformed ones do not count.
    """

    def __init__(
        self,
        vendor: Vendor,
        fetch: Fetch,
        conditions: dict[str, Sequence[Any]],
        *,
        key: str = "position",
        reverse: bool = False,
        limit: int | None = None,
        correlation_id: str | None = None,
    ) -> None:
        self._vendor = vendor
        self._fetch = fetch
        self._where = " AND ".join(conditions)
        self._params = [value for values in conditions.values() for value in values]
        self._key = key
        self._column = VERSION if key == "version" else POSITION
        self._reverse = reverse
        self._correlation_id = correlation_id
        self._last: Any = None
        self.left = limit

    @classmethod
    def of_actor(
        cls, vendor: Vendor, fetch: Fetch, namespace: str, actor_id: str, selected: ActorRange
    ) -> EventQuery:
        """Return the read that ``Backend.read_actor()`` asks for."""
        conditions: dict[str, Sequence[Any]] = {
            "e.namespace = %s AND e.actor_id = %s": (namespace, actor_id)
        }
        if selected.from_version > 1:
            conditions["e.version >= %s"] = (selected.from_version,)
        if selected.to_version is not None:
            conditions["e.version <= %s"] = (selected.to_version,)
        reverse, limit = selected.reverse, selected.limit
        return cls(vendor, fetch, conditions, key="version", reverse=reverse, limit=limit)

    @classmethod
    def of_store(
        cls, vendor: Vendor, fetch: Fetch, namespace: str, selected: Selection
    ) -> EventQuery:
        """Return the read that ``Backend.read_store()`` asks for."""
        correlation_id = selected.correlation_id
        since, until = (
            time and vendor.stored_time(time) for time in (selected.since, selected.until)
        )
        optional = {
            "e.position > %s": selected.after,
            "e.position < %s": selected.before,
            "e.actor_id = %s": selected.actor_id,
            "e.correlation_id = %s": correlation_id and correlation_id[:MAX_TEXT_LENGTH],
            "e.timestamp >= %s": since,
            "e.timestamp <= %s": until,
        }
        conditions: dict[str, Sequence[Any]] = {"e.namespace = %s": (namespace,)}
        conditions.update((name, (value,)) for name, value in optional.items() if value is not None)
        if selected.event_types is not None:
            marks = ", ".join(["%s"] * len(selected.event_types)) or "NULL"
            conditions[f"e.event_type IN ({marks})"] = sorted(selected.event_types)
        return cls(
            vendor,
            fetch,
            conditions,
            # An actor's versions are in the order of positions, and their index is narrower.
            key="position" if selected.actor_id is None else "version",
            reverse=selected.reverse,
            limit=selected.limit,
            # The column holds the beginning of a long one.
            correlation_id=correlation_id if len(correlation_id or "") >= MAX_TEXT_LENGTH else None,
        )

    def read(self, bound: int | None = None) -> Iterator[Event | ReplayError]:
        """Yield the events up to the position ``bound``; called again, go on behind them."""
        correlation_id = self._correlation_id
        size = _FIRST_PAGE
        while self.left != 0:
            size = size if self.left is None else min(size, self.left)
            rows = self._page(size, bound)
            for item in decode_events(rows, self._vendor.aware):
                if type(item) is Event:
                    if correlation_id is not None and item.correlation_id != correlation_id:
                        continue
                    if self.left is not None:
                        self.left -= 1
                yield item
            if len(rows) < size:
                return
            size = _next_size(rows)

    def count(self) -> int:
        """Return how many rows are selected."""
        if self._correlation_id is not None:
            return sum(1 for _ in self.read())
        sql = f"SELECT COUNT(*) FROM {EVENTS} e WHERE {self._where}"
        return int(self._fetch(sql, self._params)[0][0])

    def _page(self, size: int, bound: int | None) -> list[Row]:
        where, params = self._where, [*self._params]
        if bound is not None:
            where += " AND e.position <= %s"
            params.append(bound)
        if self._last is not None:
            where += f" AND e.{self._key} {'<' if self._reverse else '>'} %s"
            params.append(self._last)
        order = "DESC" if self._reverse else "ASC"
        rows = self._fetch(
            f"SELECT {self._vendor.columns} FROM {EVENTS} e WHERE {where} "
            f"ORDER BY e.{self._key} {order} LIMIT {size}",
            params,
        )
        if rows:
            self._last = rows[-1][self._column]
        return rows


def _next_size(rows: list[Row]) -> int:
    size = sum(len(row[DATA]) for row in rows) // len(rows)
    return max(16, min(_LARGEST_PAGE, _PAGE_BYTES // max(size, 1)))
