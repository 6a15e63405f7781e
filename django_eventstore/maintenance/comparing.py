"""Do two stores hold the same?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from ..backends.values import ActorRange
from ..events import Event
from ..events.event import event_differences
from ..store import EventStore
from .verifying import Finding, Inspection, Verification

Item = TypeVar("Item")


def compare_stores(
    store: EventStore,
    other: EventStore,
    *,
    on_finding: Callable[[Finding], None],
    on_progress: Callable[[Verification], None] = lambda verification: None,
) -> Verification:
    """Compare what two stores hold, actor by actor and event by event, as it is stored.

    ``missing`` is what only ``store`` has, ``extra`` what only ``other`` has; ``different``
    names the field, with the path inside ``data``. Positions are each store's own. What is saved
    after the start is left out.
    """
    return _Comparison(on_finding, on_progress).run(store, other)


class _Comparison(Inspection):
    def run(self, *stores: EventStore) -> Verification:
        names = _names(*stores)
        horizons = [store.last_position() for store in stores]
        actor_ids = (map(attrgetter("actor_id"), store.iter_actors()) for store in stores)
        for here, there in _paired(*actor_ids):
            histories = (
                self._history(store, name, horizon, here or there or "")
                for store, name, horizon in zip(stores, names, horizons, strict=True)
            )
            self._compare(names, *histories)
            self.verification.actors += 1
            self.on_progress(self.verification)
        return self.verification

    def _history(
        self, store: EventStore, name: str, horizon: int, actor_id: str
    ) -> Iterator[Event]:
        # The primitive: what is stored, before upcasters have their way with it.
        for item in store.backend.read_actor(store.namespace, actor_id, ActorRange()):
            if item.position is not None and item.position > horizon:
                continue
            if isinstance(item, Event):
                yield item
            else:
                where = {"actor_id": actor_id, "position": item.position}
                self.report("malformed", f"in {name}: {item.error}", **where)

    def _compare(self, names: Sequence[str], one: Iterator[Event], two: Iterator[Event]) -> None:
        for here, there in _paired(one, two, key=attrgetter("version")):
            self.verification.events += 1
            if here and there:
                if found := event_differences(here, there):
                    self.report_event("different", "; ".join(found), here)
            elif here:
                self.report_event("missing", f"{here.event_type!r} is only in {names[0]}", here)
            elif there:
                self.report_event("extra", f"{there.event_type!r} is only in {names[1]}", there)


def _paired(
    one: Iterator[Item], two: Iterator[Item], *, key: Callable[[Item], Any] = str
) -> Iterator[tuple[Item | None, Item | None]]:
    """Yield the items of two sorted iterators: those of one key together, or None for one."""
    here, there = next(one, None), next(two, None)
    while here is not None or there is not None:
        if there is None or (here is not None and key(here) < key(there)):
            yield here, None
            here = next(one, None)
        elif here is None or key(there) < key(here):
            yield None, there
            there = next(two, None)
        else:
            yield here, there
            here, there = next(one, None), next(two, None)


def _names(store: EventStore, other: EventStore) -> tuple[str, str]:
    """Return what to call the two stores; with their namespaces where the aliases are equal."""
    if store.alias != other.alias:
        return repr(store.alias), repr(other.alias)
    return (
        f"{store.alias!r} (namespace {store.namespace!r})",
        f"{other.alias!r} (namespace {other.namespace!r})",
    )
