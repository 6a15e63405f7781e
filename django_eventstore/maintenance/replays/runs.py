"""Runs of ``replay_events --all`` that several processes share, on one host or several.

A run has a name. Whoever starts one by a name that is there joins it; if it was broken off, it
goes on where it was. Its shards are leased as a projection's are, and what was found is counted
in the transaction that moves a shard on: so the figures add up, and nothing is counted twice,
whatever is killed when.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from hashlib import sha256
from secrets import token_hex
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, close_old_connections, transaction
from django.db.models import F
from django.db.models.functions import Now

from ...conf import event_stores
from ...events.validation import MAX_TEXT_LENGTH, check_text
from ...exceptions import EventStoreError
from ...models import (
    Consumer,
    ConsumerStatus,
    ConsumerWorker,
    ReplayFinding,
    ReplayRun,
)
from ...models.outages import is_unavailable
from ...sharding import ShardConfig
from ...store import EventStore
from ...store.actors import iter_actor_pages
from ...store.subscriptions import Stop
from ...workers.consumers import bookkeeping_database, create_consumer
from ...workers.loop import LeasedWork, make_when_possible
from ...workers.processes import told_to_stop, watch_processes
from ...workers.reader import Item, ShardReader, Task
from .regression import StateDifference
from .report import Cause, ReplayAllReport
from .tasks import (
    Comparer,
    Comparing,
    Handler,
    Handling,
    OnDifference,
    OnProgress,
)

logger = logging.getLogger("django_eventstore")

KEPT_FOR: Final = timedelta(days=30)
"""How long what is known of a run is kept after something was last done for it."""

_PREFIX: Final = "replay:"
LONGEST_NAME: Final = MAX_TEXT_LENGTH - len(_PREFIX)
"""The most characters of a run's name."""

_SHARDS: Final = ShardConfig().shard_count
_SHARDS_AT_ONCE: Final = 32
_REPORT_SECONDS: Final = 0.5
_WORK: Final = "django_eventstore.maintenance.replays.runs.work_on"
_TASKS: Final = {"handle": Handling, "compare": Comparing}
_DIFFERENCE: Final = "difference"
_CAUSES: Final = ("malformed", "failed")


def new_run_name() -> str:
    """Return a name for a run that nobody has named."""
    return token_hex(4)


def share_out(
    store: EventStore,
    task: Handling | Comparing,
    name: str | None,
    *,
    workers: int,
    lease: timedelta,
    on_progress: OnProgress,
    on_difference: OnDifference = lambda difference: None,
) -> ReplayAllReport:
    """Work on a run with processes of this host, until all of it is done; see ``replay_all()``.

    Returns:
        What the whole run came to, wherever it was done.
    """
    run = open_run(store, task, name or new_run_name())
    options = {"pk": run.pk, "using": run._state.db, "lease": lease}
    report = report_of(run)
    next_report = 0.0
    with closing(watch_processes(workers, _WORK, options, restart=False)) as watching:
        for _ in watching:
            if time.monotonic() >= next_report:
                report = _newer_report(run, report)
                on_progress(report)
                next_report = time.monotonic() + _REPORT_SECONDS
    on_progress(report_of(run))
    if run.consumer.shards.filter(position__lt=run.end).exists():
        raise EventStoreError("The worker processes were stopped before all was done.")
    for difference in differences_of(run):
        on_difference(difference)
    return report_of(run)


def _newer_report(run: ReplayRun, report: ReplayAllReport) -> ReplayAllReport:
    """Return what the run has come to by now, or ``report`` while the database is away.

    The workers say in the log that they wait for it.
    """
    try:
        return report_of(run)
    except (DatabaseError, InterfaceError) as error:
        if not is_unavailable(error):
            raise
        close_old_connections()
        return report


def check_shareable(store: EventStore) -> None:
    """Raise ImproperlyConfigured if other processes cannot read the store."""
    if not (store.backend.supports_processes and store.alias):
        raise ImproperlyConfigured(
            f"Other processes cannot read {store!r}, so it has to be replayed in this one alone."
        )


def open_run(store: EventStore, task: Handling | Comparing, name: str) -> ReplayRun:
    """Return the run of that name: a new one, or the one that is there.

    Raises:
        ImproperlyConfigured: that one does something else, or other processes cannot read the
            store.
    """
    check_shareable(store)
    full_name = check_text("run", f"{_PREFIX}{check_text('run', name)}")
    described = _describe(task)
    using = bookkeeping_database(store)
    _forget_old(using)
    end = 1 if isinstance(task, Comparing) else store.last_position()
    start = 0 if isinstance(task, Comparing) else task.after or 0
    with transaction.atomic(using=using):
        consumer = create_consumer(
            full_name,
            store,
            shards=_SHARDS,
            using=using,
            status=ConsumerStatus.REPLAYING,
            position=start,
        )
        run, _ = ReplayRun.objects.using(using).get_or_create(
            consumer=consumer, defaults={"task": described, "end": end, "worked_at": Now()}
        )
    if (run.task, consumer.place) != (described, store.backend.place(store.namespace)):
        raise ImproperlyConfigured(
            f"The run {name!r} is another one: {run.task} on {consumer.place}, and not "
            f"{described} on {store.backend.place(store.namespace)}. Give this one another name."
        )
    return run


def report_of(run: ReplayRun) -> ReplayAllReport:
    """Return what a run has come to by now."""
    run.refresh_from_db()
    findings = ReplayFinding.objects.using(run._state.db).filter(run=run)
    report = ReplayAllReport(
        events=run.events,
        actors=run.actors,
        without_fold=run.without_fold,
        skipped=run.skipped,
        differences=findings.filter(kind=_DIFFERENCE).count(),
    )
    for found in findings.filter(kind__in=_CAUSES):
        detail = json.loads(found.detail)
        first = {"position": found.position, "actor_id": detail["actor_id"]}
        causes: dict[str, Cause] = getattr(report, found.kind)
        causes[found.key] = Cause(detail["reason"], first, found.count)
    return report


def differences_of(run: ReplayRun) -> Iterator[StateDifference]:
    """Yield the actors whose states a run found to differ."""
    findings = ReplayFinding.objects.using(run._state.db).filter(run=run, kind=_DIFFERENCE)
    for found in findings.order_by("pk").iterator():
        yield StateDifference(**json.loads(found.detail))


def work_on(pk: int, using: str, lease: timedelta) -> None:
    """Work on a run, in a process of its own, until it is done or the process told to stop."""
    stop = told_to_stop()
    runs = ReplayRun.objects.using(using).select_related("consumer")
    run = make_when_possible(partial(runs.get, pk=pk), "A replay", stop)
    if run is None:
        return
    kind, arguments = json.loads(run.task).popitem()
    task: Handling | Comparing = _TASKS[kind](**arguments)
    if isinstance(task, Handling):
        _HandlingWorker(run, task, stop=stop, lease=lease).loop()
    else:
        _ComparingWorker(run, task, stop=stop, lease=lease).loop()


class _HandlingWorker(ShardReader):
    """Calls a handler with the events of its shards, inside transactions that count them."""

    def __init__(self, run: ReplayRun, task: Handling, *, stop: Stop, lease: timedelta) -> None:
        super().__init__(
            run.consumer,
            event_stores[run.consumer.store],
            stop=stop,
            once=True,
            before=run.end + 1,
            lease=lease,
        )
        self._replay = run
        self._task = task

    def wants(self, item: Item) -> bool:
        return True

    def work_off(self, batch: Sequence[Task], end: int) -> int | None:
        report = ReplayAllReport()
        handle = Handler(self._task, report, partial(transaction.atomic, using=self.using))
        return self.commit(
            batch,
            end,
            lambda task: handle(task.item),
            finish=lambda: _record(self._replay, report),
        )


class _ComparingWorker(LeasedWork):
    """Folds the actors of some of its shards at a time; a shard is at 1 when it is done."""

    def __init__(self, run: ReplayRun, task: Comparing, *, stop: Stop, lease: timedelta) -> None:
        store = event_stores[run.consumer.store]
        super().__init__(run.consumer, store, stop=stop, lease=lease)
        self._replay = run
        self._task = task

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
        comparer = Comparer(self._task, report, differences.append)
        for page in iter_actor_pages(self.store):
            for actor in page:
                if self.stopped():
                    return True
                if self.leases.shard_of(actor.actor_id) in shards:
                    comparer.compare(self.store, actor.actor_id)
        with transaction.atomic(using=self.using):
            self.leases.advance(shards, self._replay.end)
            _record(self._replay, report, differences)
        self.leases.remember(shards, self._replay.end)
        return True


def _record(
    run: ReplayRun, report: ReplayAllReport, differences: Sequence[StateDifference] = ()
) -> None:
    """Add what a worker found, in the transaction that moves its shards on."""
    using = run._state.db
    # First: it makes other workers wait, so that the rows below have one writer at a time.
    ReplayRun.objects.using(using).filter(pk=run.pk).update(
        events=F("events") + report.events,
        actors=F("actors") + report.actors,
        without_fold=F("without_fold") + report.without_fold,
        skipped=F("skipped") + report.skipped,
        worked_at=Now(),
    )
    for kind in _CAUSES:
        for cause_key, cause in getattr(report, kind).items():
            _add_cause(run, kind, _digest(cause_key), cause)
    ReplayFinding.objects.using(using).bulk_create(
        ReplayFinding(
            run=run,
            kind=_DIFFERENCE,
            key=_digest(difference.actor_id),
            count=1,
            detail=json.dumps(asdict(difference)),
        )
        for difference in differences
    )


def _add_cause(run: ReplayRun, kind: str, key: str, cause: Cause) -> None:
    findings = ReplayFinding.objects.using(run._state.db)
    position = cause.first["position"] or 0
    detail = json.dumps({"reason": cause.reason, "actor_id": cause.first["actor_id"]})
    found = findings.filter(run=run, kind=kind, key=key)
    if not found.update(count=F("count") + cause.count):
        findings.create(
            run=run, kind=kind, key=key, count=cause.count, position=position, detail=detail
        )
    else:
        found.filter(position__gt=position).update(position=position, detail=detail)


def _describe(task: Handling | Comparing) -> str:
    kind = next(kind for kind, cls in _TASKS.items() if isinstance(task, cls))
    try:
        return json.dumps({kind: asdict(task)})
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured(
            f"The initial state has to be JSON for several processes to share it: {error}"
        ) from error


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def _forget_old(using: str) -> None:
    old = ReplayRun.objects.using(using).filter(worked_at__lt=Now() - KEPT_FOR)
    alive = ConsumerWorker.objects.using(using).filter(expires_at__gt=Now())
    old = old.exclude(consumer__in=alive.values("consumer"))
    for consumer in Consumer.objects.using(using).filter(pk__in=old.values("consumer")):
        consumer.delete(using=using)
