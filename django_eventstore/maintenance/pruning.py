"""Retention: removing old events, for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from ..backends.values import ActorSummary
from ..events import ReplayError
from ..exceptions import InvalidEventError, UnsupportedOperation
from ..folds import fold_for
from ..store import EventStore


@dataclass(slots=True)
class PruneReport:
    """How far the removal has come.

    Attributes:
        actors: how many actors were looked at.
        pruned_actors: how many of them lost events (in a dry run: would).
        events: how many events were removed (in a dry run: at most would be).
        without_snapshot: how many actors lost events that no usable snapshot holds: their state
            cannot be replayed any more.
    """

    actors: int = 0
    pruned_actors: int = 0
    events: int = 0
    without_snapshot: int = 0


def prune_events(
    store: EventStore,
    *,
    older_than: datetime | None = None,
    up_to_snapshot: bool = False,
    actor_id: str | None = None,
    dry_run: bool = False,
    on_progress: Callable[[PruneReport], None] = lambda report: None,
) -> PruneReport:
    """Remove the beginning of each actor's history, for good; its newest event always stays.

    A history stays whole from some version on: removal ends at the first event that is to stay,
    and at a malformed one.

    Args:
        store: where from.
        older_than: remove events with an earlier timestamp.
        up_to_snapshot: remove events up to the newest usable snapshot, inclusive, so that each
            state can still be replayed. With ``older_than``: only where both are so.
        actor_id: only this actor; None: every actor.
        dry_run: remove nothing; count what would be removed.
        on_progress: called after each actor. What it raises ends the work there.

    Raises:
        InvalidEventError: neither ``older_than`` nor ``up_to_snapshot`` is given.
        UnsupportedOperation: the store cannot remove events.
    """
    if older_than is None and not up_to_snapshot:
        raise InvalidEventError(
            "older_than", "is needed, or up_to_snapshot: what is to be removed?"
        )
    if not store.backend.supports_pruning:
        raise UnsupportedOperation(f"{store!r} cannot remove events.")
    report = PruneReport()
    for actor in _actors(store, actor_id):
        snapshot = _snapshot_version(store, actor.actor_id)
        limit = snapshot if up_to_snapshot else actor.latest_version
        to_version, count = _beginning(store, actor, limit, older_than)
        if count and not dry_run:
            count = store.backend.prune(store.namespace, actor.actor_id, to_version)
        if count:
            report.pruned_actors += 1
            report.events += count
            report.without_snapshot += to_version > snapshot
        report.actors += 1
        on_progress(report)
    return report


def _actors(store: EventStore, actor_id: str | None) -> Iterator[ActorSummary]:
    if actor_id is None:
        yield from store.iter_actors()
    elif latest := store.get_latest_version(actor_id):
        yield ActorSummary(actor_id, latest)


def _snapshot_version(store: EventStore, actor_id: str) -> int:
    """Return the version of the newest snapshot that a replay would start at, 0 for none."""
    fold = fold_for(actor_id)
    for item in store.iter_snapshots_with_errors(actor_id):
        if isinstance(item, ReplayError):
            continue
        if fold is None or item.schema_version == fold.schema_version:
            return item.version
    return 0


def _beginning(
    store: EventStore, actor: ActorSummary, limit: int, older_than: datetime | None
) -> tuple[int, int]:
    """Return up to which version the actor's events are to go, and how many they are."""
    to_version = count = 0
    if older_than is not None and actor.first_timestamp and actor.first_timestamp >= older_than:
        return to_version, count
    for item in store.iter_events_with_errors(
        actor.actor_id, to_version=min(limit, actor.latest_version - 1)
    ):
        if isinstance(item, ReplayError):
            break
        if older_than is not None and item.timestamp >= older_than:
            break
        to_version, count = item.version or 0, count + 1
    return to_version, count
