"""Runs of ``replay_events --all`` that several processes share, on one host or several.

A run has a name. Whoever starts one by a name that is there joins it; if it was broken off, it
goes on where it was. Its shards are leased as a projection's are, and what was found is counted
in the transaction that moves a shard on: so the figures add up, and nothing is counted twice,
whatever is killed when.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from hashlib import sha256
from secrets import token_hex
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, close_old_connections, transaction
from django.db.models import F
from django.db.models.functions import Now

from ...events.validation import MAX_TEXT_LENGTH, check_text
from ...exceptions import EventStoreError
from ...models import Consumer, ConsumerStatus, ReplayFinding, ReplayRun
from ...outages import is_unavailable
from ...sharding import ShardConfig
from ...store import EventStore
from ...workers.consumers import bookkeeping_database, create_consumer
from ...workers.loop import LeasedWork, make_when_possible
from ...workers.processes import told_to_stop, watch_processes
from .regression import StateDifference
from .report import Cause, ReplayAllReport

KEPT_FOR: Final = timedelta(days=30)
"""How long what is known of a run is kept after something was last done for it."""

_PREFIX: Final = "replay:"
LONGEST_NAME: Final = MAX_TEXT_LENGTH - len(_PREFIX)
"""The most characters of a run's name."""

_SHARDS: Final = ShardConfig().shard_count
_DIFFERENCE: Final = "difference"
_CAUSES: Final = ("malformed", "failed")
_FIGURES: Final = ("events", "actors", "without_fold", "skipped")


def new_run_name() -> str:
    """Return a name for a run that nobody has named."""
    return token_hex(4)


def check_shareable(store: EventStore) -> None:
    """Raise ImproperlyConfigured if other processes cannot read the store."""
    if not (store.backend.supports_processes and store.alias):
        raise ImproperlyConfigured(
            f"Other processes cannot read {store!r}, so it has to be replayed in this one alone."
        )


def open_run(
    store: EventStore, name: str | None, task: dict[str, Any], *, start: int, end: int
) -> ReplayRun:
    """Return the run of that name, made if it is not there; None: a new one.

    Args:
        task: what is done; JSON.
        start: the position at which each shard begins.
        end: the position at which a shard is done.

    Raises:
        ImproperlyConfigured: that one does something else, or other processes cannot read the
            store.
    """
    check_shareable(store)
    name = check_text("run", name or new_run_name())
    full_name = check_text("run", f"{_PREFIX}{name}")
    try:
        described = json.dumps(task)
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured(
            f"The initial state has to be JSON for several processes to share it: {error}"
        ) from error
    using = bookkeeping_database(store)
    _forget_old(using)
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
    if (run.task, consumer.place) != (described, store.place):
        raise ImproperlyConfigured(
            f"The run {name!r} is another one: {run.task} on {consumer.place}, and not "
            f"{described} on {store.place}. Give this one another name."
        )
    return run


def share_out(
    run: ReplayRun,
    worker: Callable[..., LeasedWork],
    *,
    workers: int,
    lease: timedelta,
    on_progress: Callable[[ReplayAllReport], None],
) -> ReplayAllReport:
    """Work on a run with processes of this host, until all of it is done; see ``replay_all()``.

    Args:
        worker: makes what works on a run, which it gets first, and ``stop`` and ``lease`` by
            keyword; at the top of a module.

    Returns:
        What the whole run came to, wherever it was done.
    """
    call = partial(work_on, worker, run.pk, str(run._state.db), lease)
    report = report_of(run)
    with closing(watch_processes(workers, call, restart=False)) as watching:
        for _ in watching:
            try:
                report = report_of(run)
            except (DatabaseError, InterfaceError) as error:
                if not is_unavailable(error):
                    raise
                # The workers say in the log that they wait for it.
                close_old_connections()
            on_progress(report)
    report = report_of(run)
    on_progress(report)
    if run.consumer.shards.filter(position__lt=run.end).exists():
        raise EventStoreError("The worker processes were stopped before all was done.")
    return report


def work_on(worker: Callable[..., LeasedWork], pk: int, using: str, lease: timedelta) -> None:
    """Work on a run, in a process of its own, until it is done or the process told to stop."""
    stop = told_to_stop()
    runs = ReplayRun.objects.using(using).select_related("consumer")
    if run := make_when_possible(partial(runs.get, pk=pk), "A replay", stop):
        worker(run, stop=stop, lease=lease).loop()


def report_of(run: ReplayRun) -> ReplayAllReport:
    """Return what a run has come to by now."""
    run.refresh_from_db()
    findings = ReplayFinding.objects.using(run._state.db).filter(run=run)
    figures = {name: getattr(run, name) for name in _FIGURES}
    report = ReplayAllReport(**figures, differences=findings.filter(kind=_DIFFERENCE).count())
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


def record(
    run: ReplayRun, report: ReplayAllReport, differences: Sequence[StateDifference] = ()
) -> None:
    """Add what a worker found, in the transaction that moves its shards on."""
    using = run._state.db
    figures = {name: F(name) + getattr(report, name) for name in _FIGURES}
    # First: it makes other workers wait, so that the rows below have one writer at a time.
    ReplayRun.objects.using(using).filter(pk=run.pk).update(**figures, worked_at=Now())
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


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def _forget_old(using: str) -> None:
    runs = Consumer.objects.using(using).filter(replay__worked_at__lt=Now() - KEPT_FOR)
    runs.exclude(workers__expires_at__gt=Now()).delete()
