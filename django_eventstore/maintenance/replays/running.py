"""Running all of history again: through a handler, or through two folds to compare them.

In this process alone, or shared out among several: then each is one of the workers below.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any, Final, Unpack

from django.db import transaction
from django.utils.module_loading import import_string

from ...conf import event_stores
from ...events import Event, ReplayError
from ...folds import Fold, fold_for
from ...models import ReplayRun
from ...store import EventStore
from ...workers.leases import DEFAULT_LEASE
from ...workers.loop import LeasedWork, WorkOptions
from ...workers.reader import Item, ShardReader, Task
from .regression import StateDifference, compare_folds
from .report import ReplayAllReport
from .shared_runs import differences_of, open_run, record, share_out

_STEP: Final = 500
_SHARDS_AT_ONCE: Final = 32


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
    workers, or a run's name, the work is shared out by shard, see ``shared_runs.py``: then the
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
    if workers == 1 and run is None:
        report = ReplayAllReport()
        call = import_string(handler)
        for number, item in enumerate(store.read_all_with_errors(after)):
            if number % _STEP == 0:
                on_progress(report)
            _handle(call, item, report)
        return report
    shared = open_handling(store, handler, after, run)
    return share_out(shared, HandlingWorker, workers=workers, lease=lease, on_progress=on_progress)


def open_handling(
    store: EventStore, handler: str, after: int | None = None, run: str | None = None
) -> ReplayRun:
    """Return the run that ``replay_all()`` shares."""
    task = {"handler": handler, "after": after}
    return open_run(store, run, task, start=after or 0, end=store.last_position())


def _handle(
    call: Callable[[Event], object],
    item: Item,
    report: ReplayAllReport,
    around: AbstractContextManager[Any] = nullcontext(),  # noqa: B008 - it holds nothing
) -> None:
    if isinstance(item, ReplayError):
        report.add_malformed(item)
        return
    try:
        with around:
            call(item)
    except Exception as error:  # whatever the project's function raises
        report.add_failed(item, error)
    report.events += 1


class HandlingWorker(ShardReader):
    """Calls a handler with the events of its shards, inside transactions that count them."""

    def __init__(self, run: ReplayRun, **options: Unpack[WorkOptions]) -> None:
        store = event_stores[run.consumer.store]
        super().__init__(run.consumer, store, once=True, before=run.end + 1, **options)
        self._replay = run
        self._call = import_string(json.loads(run.task)["handler"])

    def work_off(self, batch: Sequence[Task], end: int) -> int:
        report = ReplayAllReport()
        savepoint = transaction.atomic(using=self.using)
        return self.commit(
            batch,
            end,
            lambda task: _handle(self._call, task.item, report, savepoint),
            finish=lambda: record(self._replay, report),
        )


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
    task = {"one": one, "two": two, "initial": initial}
    if workers == 1 and run is None:
        report = ReplayAllReport()
        folds = _folds(**task)
        for actor in store.iter_actors():
            on_progress(report)
            _compare(store, actor.actor_id, report, on_difference, *folds)
        return report
    shared = open_run(store, run, task, start=0, end=1)
    report = share_out(
        shared, ComparingWorker, workers=workers, lease=lease, on_progress=on_progress
    )
    for difference in differences_of(shared):
        on_difference(difference)
    return report


def _folds(
    one: str | None, two: str, initial: Any
) -> tuple[Fold | None, Callable[[Any, Event], Any]]:
    return None if one is None else Fold(import_string(one), initial), import_string(two)


def _compare(
    store: EventStore,
    actor_id: str,
    report: ReplayAllReport,
    on_difference: Callable[[StateDifference], object],
    one: Fold | None,
    two: Callable[[Any, Event], Any],
) -> None:
    fold = one or fold_for(actor_id)
    if fold is None:
        report.without_fold += 1
        return
    other = Fold(two, fold.initial)
    if difference := compare_folds(store, actor_id, fold, other, report):
        on_difference(difference)
    report.actors += 1


class ComparingWorker(LeasedWork):
    """Folds the actors of some of its shards at a time; a shard is at 1 when it is done."""

    def __init__(self, run: ReplayRun, **options: Unpack[WorkOptions]) -> None:
        super().__init__(run.consumer, event_stores[run.consumer.store], **options)
        self._replay = run
        self._folds = _folds(**json.loads(run.task))

    def is_done(self) -> bool:
        return self.all_are_at(self._replay.end)

    def work(self) -> bool:
        left = [shard for shard, at in self.leases.positions.items() if at < self._replay.end]
        # Each time all actors are listed: of many shards, or the listing would take longest.
        shards = set(sorted(left)[:_SHARDS_AT_ONCE])
        if not shards:
            return False
        report = ReplayAllReport()
        differences: list[StateDifference] = []
        for actor in self.store.iter_actors():
            if self.stopped():
                return True
            if self.leases.shard_of(actor.actor_id) in shards:
                _compare(self.store, actor.actor_id, report, differences.append, *self._folds)
        with transaction.atomic(using=self.using):
            self.leases.advance(shards, self._replay.end)
            record(self._replay, report, differences)
        self.leases.remember(shards, self._replay.end)
        return True
