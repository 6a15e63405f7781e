"""Running all of history again: through a handler, or through two folds to compare them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.module_loading import import_string

from .actors import iter_actor_pages
from .events import Event
from .folds import Fold, fold_for
from .parallel import Share, run_in_shares
from .regression import StateDifference, compare_folds
from .replay import ReplayError
from .store import EventStore

_STEP: Final = 500
_VARYING = re.compile(r"\d+|'[^']*'|\"[^\"]*\"")


@dataclass(slots=True)
class Cause:
    """Events that failed for the same reason.

    Attributes:
        reason: the exception's class and text; what varies in the text is that of the first.
        count: how many.
        first: the first one, as ``{"position": …, "actor_id": …}``.
    """

    reason: str
    first: dict[str, Any]
    count: int = 0


@dataclass(slots=True)
class ReplayAllReport:
    """How far the work has come.

    Attributes:
        events: how many events were handled or folded.
        actors: how many actors were folded.
        without_fold: how many actors have no registered fold.
        malformed: malformed events, by cause.
        failed: events that the handler raised for, by cause.
        differences: actors whose states differ.
    """

    events: int = 0
    actors: int = 0
    without_fold: int = 0
    malformed: dict[str, Cause] = field(default_factory=dict)
    failed: dict[str, Cause] = field(default_factory=dict)
    differences: int = 0


@dataclass(frozen=True, slots=True)
class _Step:
    """So many more events and actors are done."""

    events: int = 0
    actors: int = 0
    without_fold: int = 0


@dataclass(frozen=True, slots=True)
class _Failure:
    malformed: bool
    reason: str
    where: dict[str, Any]


def replay_all(
    store: EventStore,
    handler: str,
    *,
    workers: int = 1,
    after: int | None = None,
    on_progress: Callable[[ReplayAllReport], None] = lambda report: None,
) -> ReplayAllReport:
    """Call a function with every event of the store.

    Each worker process has its own shards, and so the events of an actor in order. An event
    that the handler raises for is counted, and the next one follows.

    Args:
        store: whose events.
        handler: the dotted path of ``handler(event)``.
        workers: how many processes.
        after: a position; only events behind it.
        on_progress: called now and then. What it raises ends the work there.
    """
    report = ReplayAllReport()
    messages = run_in_shares(f"{__name__}.handle", store, (handler, after), workers=workers)
    return _gather(report, messages, lambda difference: None, on_progress)


def compare_all(
    store: EventStore,
    one: str | None,
    two: str,
    *,
    initial: Any = None,
    workers: int = 1,
    search: str = "",
    on_difference: Callable[[StateDifference], None] = lambda difference: None,
    on_progress: Callable[[ReplayAllReport], None] = lambda report: None,
) -> ReplayAllReport:
    """Fold every actor's events with two functions, and report the states that differ.

    Args:
        store: whose events.
        one: the dotted path of ``apply(state, event) -> state``; None: the fold that is
            registered for each actor (actors without one are counted and passed over).
        two: the dotted path of the other.
        initial: the state before the first event, where ``one`` is given; otherwise the
            registered fold's.
        workers: how many processes.
        search: only actors whose id contains this text.
        on_difference: called with each actor whose state differs.
        on_progress: called now and then. What it raises ends the work there.
    """
    report = ReplayAllReport()
    arguments = (one, two, initial, search)
    messages = run_in_shares(f"{__name__}.compare", store, arguments, workers=workers)
    return _gather(report, messages, on_difference, on_progress)


def handle(store: EventStore, share: Share, handler: str, after: int | None) -> Iterator[Any]:
    """Call the handler with the share's events; a worker's part of replay_all()."""
    call = import_string(handler)
    done = 0
    for item in store.read_all_with_errors(after):
        if not share.holds(item.actor_id):
            continue
        if isinstance(item, ReplayError):
            yield _malformed(item)
            continue
        try:
            call(item)
        except Exception as error:  # whatever the project's function raises
            yield _Failure(False, _reason(error), _where(item))
        done += 1
        if done == _STEP:
            yield _Step(done)
            done = 0
    yield _Step(done)


def compare(
    store: EventStore, share: Share, one: str | None, two: str, initial: Any, search: str
) -> Iterator[Any]:
    """Fold the share's actors; a worker's part of compare_all()."""
    named = None if one is None else Fold(import_string(one), initial)
    other = import_string(two)
    for page in iter_actor_pages(store, search=search):
        without_fold = actors = events = 0
        for actor in page:
            if not share.holds(actor.actor_id):
                continue
            fold = named or fold_for(actor.actor_id)
            if fold is None:
                without_fold += 1
                continue
            second = Fold(other, fold.initial)
            for found in compare_folds(store, actor.actor_id, fold, second):
                if isinstance(found, int):
                    events += found
                else:
                    yield _malformed(found) if isinstance(found, ReplayError) else found
            actors += 1
        yield _Step(events, actors, without_fold)


def _gather(
    report: ReplayAllReport,
    messages: Iterator[Any],
    on_difference: Callable[[StateDifference], None],
    on_progress: Callable[[ReplayAllReport], None],
) -> ReplayAllReport:
    for message in messages:
        if isinstance(message, _Step):
            report.events += message.events
            report.actors += message.actors
            report.without_fold += message.without_fold
        elif isinstance(message, _Failure):
            _count(report.malformed if message.malformed else report.failed, message)
        elif isinstance(message, StateDifference):
            report.differences += 1
            on_difference(message)
        on_progress(report)
    return report


def _count(causes: dict[str, Cause], failure: _Failure) -> None:
    # Positions, ids and values vary between events that fail for one reason.
    key = _VARYING.sub("…", failure.reason)
    causes.setdefault(key, Cause(failure.reason, failure.where)).count += 1


def _malformed(error: ReplayError) -> _Failure:
    return _Failure(True, _reason(error.error), _where(error))


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _where(item: Event | ReplayError) -> dict[str, Any]:
    return {"position": item.position, "actor_id": item.actor_id}
