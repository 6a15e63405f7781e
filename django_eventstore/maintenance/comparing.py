"""Do two stores hold the same?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, TypeVar

from ..backends.values import ActorRange
from ..events import Event
from ..events.event import event_differences
from ..store import EventStore
from .verifying import Finding, Verification

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
    return _Comparison(store, other, on_finding, on_progress).run()


class _Comparison:
    def __init__(
        self,
        store: EventStore,
        other: EventStore,
        on_finding: Callable[[Finding], None],
        on_progress: Callable[[Verification], None],
    ) -> None:
        self.stores = (store, other)
        self.names = _names(store, other)
        self.on_finding = on_finding
        self.on_progress = on_progress
        self.verification = Verification()

    def run(self) -> Verification:
        horizons = [store.last_position() for store in self.stores]
        actor_ids = (map(attrgetter("actor_id"), store.iter_actors()) for store in self.stores)
        for here, there in _paired(*actor_ids):
            actor_id = here or there or ""
            one, two = (
                self._history(store, actor_id, horizon)
                for store, horizon in zip(self.stores, horizons, strict=True)
            )
            self._compare(one, two)
            self.verification.actors += 1
            self.on_progress(self.verification)
        return self.verification

    def _report(self, kind: str, detail: str, event: Event) -> None:
        self.verification.found[kind] = self.verification.found.get(kind, 0) + 1
        self.on_finding(
            Finding(
                kind=kind,
                detail=detail,
                actor_id=event.actor_id,
                version=event.version,
                position=event.position,
                event_id=event.id,
            )
        )

    def _history(self, store: EventStore, actor_id: str, horizon: int) -> Iterator[Event]:
        # The primitive: what is stored, before upcasters have their way with it.
        for item in store.backend.read_actor(store.namespace, actor_id, ActorRange()):
            if item.position is not None and item.position > horizon:
                continue
            if isinstance(item, Event):
                yield item
                continue
            self.verification.found["malformed"] = self.verification.found.get("malformed", 0) + 1
            self.on_finding(
                Finding(
                    kind="malformed",
                    detail=f"in {self.names[store is self.stores[1]]}: {item.error}",
                    actor_id=actor_id,
                    position=item.position,
                )
            )

    def _compare(self, one: Iterator[Event], two: Iterator[Event]) -> None:
        for here, there in _paired(one, two, key=_version):
            self.verification.events += 1
            if there is None and here is not None:
                self._report("missing", f"{here.event_type!r} is only in {self.names[0]}", here)
            elif here is None and there is not None:
                self._report("extra", f"{there.event_type!r} is only in {self.names[1]}", there)
            elif here and there and (found := event_differences(here, there)):
                self._report("different", "; ".join(found), here)


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


def _version(event: Event) -> int:
    return event.version or 0


def _names(store: EventStore, other: EventStore) -> tuple[str, str]:
    """Return what to call the two stores; with their namespaces where the aliases are equal."""
    if store.alias != other.alias:
        return repr(store.alias), repr(other.alias)
    return (
        f"{store.alias!r} (namespace {store.namespace!r})",
        f"{other.alias!r} (namespace {other.namespace!r})",
    )
