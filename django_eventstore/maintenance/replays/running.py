"""Running all of history again: through a handler, or through two folds to compare them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from ...store import EventStore
from ...workers.leases import DEFAULT_LEASE
from .regression import StateDifference
from .report import ReplayAllReport
from .runs import share_out
from .tasks import Comparing, Handling


def replay_all(
    store: EventStore,
    handler: str,
    *,
    workers: int = 1,
    run: str | None = None,
    after: int | None = None,
    lease: timedelta = DEFAULT_LEASE,
    on_progress: Callable[[ReplayAllReport], None] = lambda report: None,
) -> ReplayAllReport:
    """Call a function with every event of the store, each actor's in order.

    An event that the handler raises for is counted, and the next one follows. With several
    workers, or a run's name, the work is shared out by shard, see ``runs.py``: then the
    handler runs inside a transaction of the store's database (the default one, where the store
    is in none), which also holds how far the work is. Rows that it writes there are written
    once each, whatever is killed when; what it raises undoes them.

    Args:
        store: whose events.
        handler: the dotted path of ``handler(event)``.
        workers: how many processes; 1: this one, unless there is a name.
        run: the name of a run, which processes of several hosts can join, and which goes on where
            it was if it was broken off. What is done already is not done again.
        after: a position; only events behind it.
        lease: how long a worker that gives no sign of life keeps its shards.
        on_progress: called now and then. What it raises ends the work there.

    Raises:
        ImproperlyConfigured: the run of that name does something else, or processes cannot share
            the store.
        EventStoreError: a worker failed, or all were killed.
    """
    task = Handling(handler, after)
    if workers == 1 and run is None:
        return task.run(store, on_progress)
    return share_out(store, task, run, workers=workers, lease=lease, on_progress=on_progress)


def compare_all(
    store: EventStore,
    one: str | None,
    two: str,
    *,
    initial: Any = None,
    workers: int = 1,
    run: str | None = None,
    lease: timedelta = DEFAULT_LEASE,
    on_difference: Callable[[StateDifference], None] = lambda difference: None,
    on_progress: Callable[[ReplayAllReport], None] = lambda report: None,
) -> ReplayAllReport:
    """Fold every actor's events with two functions, and report the states that differ.

    Args:
        store: whose events.
        one: the dotted path of ``apply(state, event) -> state``; None: the fold that is
            registered for each actor (actors without one are counted and passed over).
        two: the dotted path of the other.
        initial: the state before the first event, where ``one`` is given, as JSON has it;
            otherwise the registered fold's.
        on_difference: called with each actor whose state differs; where the work is shared, at
            its end.
        workers, run, lease, on_progress: see ``replay_all()``, also for what it raises.
    """
    task = Comparing(one, two, initial)
    if workers == 1 and run is None:
        return task.run(store, on_progress, on_difference)
    return share_out(
        store,
        task,
        run,
        workers=workers,
        lease=lease,
        on_progress=on_progress,
        on_difference=on_difference,
    )
