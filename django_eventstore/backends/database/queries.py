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

    Attributes:
        left: how many events may still be yielded, or None. Malformed ones do not count.
    """

    def __init__(
        self,
        conditions: dict[str, Any],
        *,
        key: str = "position",
        reverse: bool = False,
        limit: int | None = None,
        correlation_id: str | None = None,
    ) -> None:
        self._conditions = conditions
        self._key = key
        self._column = VERSION if key == "version" else POSITION
        self._reverse = reverse
        # Longer than its column, which holds the beginning.
        self._long_correlation_id = (
            correlation_id if len(correlation_id or "") >= MAX_TEXT_LENGTH else None
        )
        self._last: Any = None
        self.left = limit

    @classmethod
    def of_actor(cls, namespace: str, actor_id: str, selected: ActorRange) -> EventQuery:
        """Return the read that ``Backend.read_actor()`` asks for."""
        conditions: dict[str, Any] = {"e.namespace = %s": namespace, "e.actor_id = %s": actor_id}
        if selected.from_version > 1:
            conditions["e.version >= %s"] = selected.from_version
        if selected.to_version is not None:
            conditions["e.version <= %s"] = selected.to_version
        return cls(conditions, key="version", reverse=selected.reverse, limit=selected.limit)

    @classmethod
    def of_store(cls, namespace: str, selected: Selection) -> EventQuery:
        """Return the read that ``Backend.read_store()`` asks for."""
        conditions: dict[str, Any] = {"e.namespace = %s": namespace}
        correlation_id = selected.correlation_id
        optional = {
            "e.position > %s": selected.after,
            "e.position < %s": selected.before,
            "e.actor_id = %s": selected.actor_id,
            "e.correlation_id = %s": correlation_id and correlation_id[:MAX_TEXT_LENGTH],
            "e.timestamp >= %s": selected.since,
            "e.timestamp <= %s": selected.until,
        }
        conditions.update((name, value) for name, value in optional.items() if value is not None)
        if selected.event_types is not None:
            marks = ", ".join(["%s"] * len(selected.event_types)) or "NULL"
            conditions[f"e.event_type IN ({marks})"] = sorted(selected.event_types)
        return cls(
            conditions,
            # An actor's versions are in the order of positions, and their index is narrower.
            key="position" if selected.actor_id is None else "version",
            reverse=selected.reverse,
            limit=selected.limit,
            correlation_id=selected.correlation_id,
        )

    def read(
        self, vendor: Vendor, fetch: Fetch, bound: int | None = None
    ) -> Iterator[Event | ReplayError]:
        """Yield the events up to the position ``bound``; called again, go on behind them."""
        size = _FIRST_PAGE
        while self.left != 0:
            size = size if self.left is None else min(size, self.left)
            rows = self._page(vendor, fetch, size, bound)
            for item in decode_events(rows, vendor.aware):
                if self._left_out(item):
                    continue
                yield item
                if self.left is not None and type(item) is Event:
                    self.left -= 1
            if len(rows) < size:
                return
            size = _next_size(rows)

    def count(self, vendor: Vendor, fetch: Fetch) -> int:
        """Return how many rows are selected."""
        if self._long_correlation_id is not None:
            return sum(1 for _ in self.read(vendor, fetch))
        where, params = self._where(vendor)
        return int(fetch(f"SELECT COUNT(*) FROM {EVENTS} e WHERE {where}", params)[0][0])

    def _page(self, vendor: Vendor, fetch: Fetch, size: int, bound: int | None) -> list[Row]:
        where, params = self._where(vendor)
        if bound is not None:
            where += " AND e.position <= %s"
            params.append(bound)
        if self._last is not None:
            where += f" AND e.{self._key} {'<' if self._reverse else '>'} %s"
            params.append(self._last)
        order = "DESC" if self._reverse else "ASC"
        rows = fetch(
            f"SELECT {vendor.columns} FROM {EVENTS} e WHERE {where} "
            f"ORDER BY e.{self._key} {order} LIMIT {size}",
            params,
        )
        if rows:
            self._last = rows[-1][self._column]
        return rows

    def _where(self, vendor: Vendor) -> tuple[str, list[Any]]:
        params: list[Any] = []
        for condition, value in self._conditions.items():
            if isinstance(value, list):
                params.extend(value)
            elif condition.startswith("e.timestamp"):
                params.append(vendor.stored_time(value))
            else:
                params.append(value)
        return " AND ".join(self._conditions), params

    def _left_out(self, item: Event | ReplayError) -> bool:
        return (
            self._long_correlation_id is not None
            and type(item) is Event
            and item.correlation_id != self._long_correlation_id
        )


def _next_size(rows: list[Row]) -> int:
    size = sum(len(row[DATA]) for row in rows) // len(rows)
    return max(16, min(_LARGEST_PAGE, _PAGE_BYTES // max(size, 1)))
