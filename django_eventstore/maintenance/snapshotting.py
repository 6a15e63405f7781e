"""Making snapshots of long histories."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from ..backends.values import ActorSummary
from ..events import Snapshot
from ..exceptions import EventStoreError
from ..folds import Fold, fold_for
from ..store import EventStore
from ..store.lookups import ACTORS_AT_ONCE

EVENTS_SINCE: Final = 100
"""How many events may follow a snapshot before the next one is worth while."""


@dataclass(slots=True)
class SnapshotReport:
    """How far the work has come.

    Attributes:
        actors: how many actors were looked at.
        saved: how many snapshots were saved.
        without_fold: how many actors have no registered fold.
        failed: how many actors have no snapshot because of an error.
    """

    actors: int = 0
    saved: int = 0
    without_fold: int = 0
    failed: int = 0


def snapshot_actors(
    store: EventStore,
    *,
    search: str = "",
    events_since: int = EVENTS_SINCE,
    dry_run: bool = False,
    on_failure: Callable[[str, str], None] = lambda actor_id, reason: None,
    on_progress: Callable[[SnapshotReport], None] = lambda report: None,
) -> SnapshotReport:
    """Save a snapshot of each actor with more than ``events_since`` events since its last one.

    The state is made by the fold that is registered for the actor (``folds.register_fold``). An
    actor with malformed events gets none: its snapshot would hide what is missing for ever.

    Args:
        store: whose actors.
        search: only actors whose id contains this text.
        events_since: see above.
        dry_run: save nothing; count what would be saved.
        on_failure: called with the id of an actor that gets no snapshot, and the reason.
        on_progress: called after each actor. What it raises ends the work there.
    """
    report = SnapshotReport()
    for actor, snapshot in actors_with_snapshots(store, search=search):
        fold = fold_for(actor.actor_id)
        if fold is None:
            report.without_fold += 1
        elif actor.latest_version - (snapshot or 0) > events_since:
            try:
                report.saved += _snapshot(store, actor.actor_id, fold, events_since, dry_run)
            except _Unfit as error:
                report.failed += 1
                on_failure(actor.actor_id, str(error))
        report.actors += 1
        on_progress(report)
    return report


def actors_with_snapshots(
    store: EventStore, *, search: str = ""
) -> Iterator[tuple[ActorSummary, int | None]]:
    """Yield each actor with the version of its newest snapshot, None where it has none."""
    actors = store.iter_actors(search=search)
    while page := list(islice(actors, ACTORS_AT_ONCE)):
        versions = store.get_snapshot_versions(actor.actor_id for actor in page)
        for actor in page:
            yield actor, versions.get(actor.actor_id)


class _Unfit(EventStoreError):
    """The actor's state is nothing to keep."""


def _snapshot(
    store: EventStore, actor_id: str, fold: Fold, events_since: int, dry_run: bool
) -> bool:
    """Save a snapshot of the actor if it is due; tell whether it was."""
    try:
        replayed = store.replay(
            actor_id, fold.apply, fold.initial, schema_version=fold.schema_version
        )
    except EventStoreError:
        raise
    except Exception as error:  # whatever the project's function raises
        raise _Unfit(f"the fold raised {type(error).__name__}: {error}") from error
    if replayed.errors:
        raise _Unfit(f"{len(replayed.errors)} of its events are malformed")
    # Versions may have gaps: only the replay has counted the events.
    if replayed.events_applied <= events_since:
        return False
    if not dry_run:
        try:
            store.save_snapshot(
                Snapshot(
                    actor_id, replayed.version, replayed.state, schema_version=fold.schema_version
                )
            )
        except ValueError as error:
            raise _Unfit(f"its state cannot be kept: {error}") from error
    return True
