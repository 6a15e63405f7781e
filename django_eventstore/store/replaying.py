"""Folding an actor's events to its state, from the newest usable snapshot on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import TypeVar

from asgiref.sync import sync_to_async

from ..backends.values import ActorRange
from ..events import Event, Replayed, ReplayError, Snapshot
from ..events.validation import check_integer
from ..exceptions import InvalidEventError
from ..folds import Folding
from .arguments import check_upto
from .observability import observe
from .reading import ActorReading

State = TypeVar("State")


class Replaying(ActorReading):
    """replay()."""

    def replay(
        self,
        actor_id: str,
        apply: Callable[[State, Event], State],
        initial: State,
        *,
        to_version: int | None = None,
        use_snapshot: bool = True,
        schema_version: int = 1,
    ) -> Replayed[State]:
        """Fold the actor's events with ``apply(state, event) -> state``.

        Args:
            actor_id: the actor.
            apply: makes the next state; it may change the state in place and return it.
            initial: the state before the first event; it is copied.
            to_version: the last version to fold, inclusive; None: all.
            use_snapshot: start at the newest usable snapshot at or below ``to_version``.
            schema_version: the form of state that ``apply`` works on. Snapshots of another
                form, and unreadable ones, are passed over and named in
                ``Replayed.skipped_snapshots``.

        What ``apply`` raises passes through, with a note that names the event.
        """
        namespace = self.namespace
        check_upto(actor_id, "to_version", to_version)
        check_integer("schema_version", schema_version, minimum=1)
        with observe(self, "replay", namespace, actor_id) as operation:
            snapshot = None
            skipped: list[ReplayError] = []
            if use_snapshot:
                for stored in self.backend.read_snapshots(namespace, actor_id, to_version):
                    found = _usable(stored, schema_version)
                    if isinstance(found, Snapshot):
                        snapshot = found
                        break
                    self._report(namespace, found)
                    skipped.append(found)
            selected = ActorRange(from_version=_after(snapshot), to_version=to_version)
            folding = Folding.start(apply, initial, snapshot)
            for item in self._items(namespace, actor_id, selected):
                folding.add(item)
            operation.events = folding.applied
        return folding.result(skipped)

    async def areplay(
        self,
        actor_id: str,
        apply: Callable[[State, Event], State],
        initial: State,
        *,
        to_version: int | None = None,
        use_snapshot: bool = True,
        schema_version: int = 1,
    ) -> Replayed[State]:
        """See replay()."""
        namespace = self.namespace
        check_upto(actor_id, "to_version", to_version)
        check_integer("schema_version", schema_version, minimum=1)
        with observe(self, "replay", namespace, actor_id) as operation:
            snapshot = None
            skipped: list[ReplayError] = []
            if use_snapshot:
                async with aclosing(
                    self.backend.aread_snapshots(namespace, actor_id, to_version)
                ) as snapshots:
                    async for stored in snapshots:
                        found = _usable(stored, schema_version)
                        if isinstance(found, Snapshot):
                            snapshot = found
                            break
                        await sync_to_async(self._report)(namespace, found)
                        skipped.append(found)
            selected = ActorRange(from_version=_after(snapshot), to_version=to_version)
            folding = Folding.start(apply, initial, snapshot)
            async with aclosing(self._aitems(namespace, actor_id, selected)) as items:
                async for item in items:
                    folding.add(item)
            operation.events = folding.applied
        return folding.result(skipped)


def _after(snapshot: Snapshot | None) -> int:
    return 0 if snapshot is None else snapshot.version + 1


def _usable(item: Snapshot | ReplayError, schema_version: int) -> Snapshot | ReplayError:
    """Return ``item``, or why a fold that makes ``schema_version`` cannot start at it."""
    if isinstance(item, ReplayError) or item.schema_version == schema_version:
        return item
    reason = InvalidEventError(
        "schema_version", f"the snapshot has {item.schema_version}, the fold {schema_version}."
    )
    return ReplayError(item.position, repr(item.state), reason, item.actor_id)
