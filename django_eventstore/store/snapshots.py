"""Keeping snapshots, and finding them again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import replace

import orjson
from asgiref.sync import sync_to_async

from ..events import ReplayError, Snapshot
from .arguments import check_upto, checked_actor_ids, new_snapshot, snapshot_range
from .malformed import Reporting


class Snapshots(Reporting):
    """save_snapshot(), get_latest_snapshot() and the like."""

    def save_snapshot(self, snapshot: Snapshot) -> Snapshot:
        """Store ``snapshot``, over one of the actor's at the same version; return it as stored.

        The newest ``snapshots_kept`` of each actor are kept.

        Raises:
            InvalidEventError: a field is wrong; nothing was written.
            EventTooLargeError: it is larger than the store takes.
            StoreUnavailableError: no answer from the store.
        """
        namespace = self.namespace
        snapshot, state = new_snapshot(snapshot, self.options.max_event_size)
        return _kept(snapshot, state, self.backend.save_snapshot(namespace, snapshot, state))

    async def asave_snapshot(self, snapshot: Snapshot) -> Snapshot:
        """See save_snapshot()."""
        namespace = self.namespace
        snapshot, state = new_snapshot(snapshot, self.options.max_event_size)
        return _kept(snapshot, state, await self.backend.asave_snapshot(namespace, snapshot, state))

    def delete_snapshots(
        self, actor_id: str, from_version: int = 0, *, to_version: int | None = None
    ) -> int:
        """Delete the actor's snapshots; return how many there were.

        All of them, or those between two versions, inclusive. Events stay, and so does what a
        replay gives: a snapshot is a copy. None is no error.

        Raises:
            InvalidEventError: an argument is wrong.
            StoreUnavailableError: no answer from the store; delete again.
        """
        bounds = snapshot_range(actor_id, from_version, to_version)
        return self.backend.delete_snapshots(self.namespace, actor_id, *bounds)

    async def adelete_snapshots(
        self, actor_id: str, from_version: int = 0, *, to_version: int | None = None
    ) -> int:
        """See delete_snapshots()."""
        bounds = snapshot_range(actor_id, from_version, to_version)
        return await self.backend.adelete_snapshots(self.namespace, actor_id, *bounds)

    def get_latest_snapshot(
        self, actor_id: str, *, max_version: int | None = None
    ) -> Snapshot | None:
        """Return the actor's newest readable snapshot, at or below ``max_version``, or None."""
        check_upto(actor_id, "max_version", max_version)
        for item in self._snapshots(self.namespace, actor_id, max_version):
            if isinstance(item, Snapshot):
                return item
        return None

    async def aget_latest_snapshot(
        self, actor_id: str, *, max_version: int | None = None
    ) -> Snapshot | None:
        """See get_latest_snapshot()."""
        check_upto(actor_id, "max_version", max_version)
        async with aclosing(self._asnapshots(self.namespace, actor_id, max_version)) as items:
            async for item in items:
                if isinstance(item, Snapshot):
                    return item
        return None

    def iter_snapshots_with_errors(
        self, actor_id: str, *, max_version: int | None = None
    ) -> Iterator[Snapshot | ReplayError]:
        """Yield the actor's snapshots, newest first, a ReplayError for each malformed one."""
        check_upto(actor_id, "max_version", max_version)
        return self._snapshots(self.namespace, actor_id, max_version)

    def aiter_snapshots_with_errors(
        self, actor_id: str, *, max_version: int | None = None
    ) -> AsyncIterator[Snapshot | ReplayError]:
        """See iter_snapshots_with_errors()."""
        check_upto(actor_id, "max_version", max_version)
        return self._asnapshots(self.namespace, actor_id, max_version)

    def get_snapshot_versions(self, actor_ids: Iterable[str]) -> dict[str, int]:
        """Return the version of each actor's newest snapshot; actors without one are left out."""
        checked = checked_actor_ids(actor_ids)
        return self.backend.snapshot_versions(self.namespace, checked) if checked else {}

    async def aget_snapshot_versions(self, actor_ids: Iterable[str]) -> dict[str, int]:
        """See get_snapshot_versions()."""
        checked = checked_actor_ids(actor_ids)
        return await self.backend.asnapshot_versions(self.namespace, checked) if checked else {}

    def _snapshots(
        self, namespace: str, actor_id: str, max_version: int | None
    ) -> Iterator[Snapshot | ReplayError]:
        for item in self.backend.read_snapshots(namespace, actor_id, max_version):
            if isinstance(item, ReplayError):
                self._report(namespace, item)
            yield item

    async def _asnapshots(
        self, namespace: str, actor_id: str, max_version: int | None
    ) -> AsyncGenerator[Snapshot | ReplayError, None]:
        async with aclosing(
            self.backend.aread_snapshots(namespace, actor_id, max_version)
        ) as items:
            async for item in items:
                if isinstance(item, ReplayError):
                    await sync_to_async(self._report)(namespace, item)
                yield item


def _kept(snapshot: Snapshot, state: bytes, position: int | None) -> Snapshot:
    return replace(snapshot, state=orjson.loads(state), position=position)
