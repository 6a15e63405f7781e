"""What is done with all of history: each event to a handler, or each actor to two folds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

from django.utils.module_loading import import_string

from ...events.event import Event
from ...events.results import ReplayError
from ...folds import Fold, fold_for
from ...store import EventStore
from ...store.actors import iter_actor_pages
from .regression import StateDifference, compare_folds
from .report import ReplayAllReport

_STEP: Final = 500

OnProgress = Callable[[ReplayAllReport], None]
OnDifference = Callable[[StateDifference], None]


@dataclass(frozen=True, slots=True)
class Handling:
    """Call a function with every event.

    Attributes:
        handler: the dotted path of ``handler(event)``.
        after: only events behind this position.
    """

    handler: str
    after: int | None = None

    def run(self, store: EventStore, on_progress: OnProgress) -> ReplayAllReport:
        """Do all of it in this process."""
        report = ReplayAllReport()
        handle = Handler(self, report)
        for number, item in enumerate(store.read_all_with_errors(self.after)):
            if number % _STEP == 0:
                on_progress(report)
            handle(item)
        return report


class Handler:
    """Gives items to the handler, and counts what comes of it.

    Args:
        task: names the handler.
        report: where to count.
        around: makes what each call runs in, such as a transaction.
    """

    def __init__(
        self,
        task: Handling,
        report: ReplayAllReport,
        around: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self.report = report
        self._call: Callable[[Event], object] = import_string(task.handler)
        self._around = around

    def __call__(self, item: Event | ReplayError) -> None:
        if isinstance(item, ReplayError):
            self.report.add_malformed(item)
            return
        try:
            with self._around():
                self._call(item)
        except Exception as error:  # whatever the project's function raises
            self.report.add_failed(item, error)
        self.report.events += 1


@dataclass(frozen=True, slots=True)
class Comparing:
    """Fold every actor with two functions.

    Attributes:
        one: the dotted path of the one; None: the fold that is registered for each actor.
        two: the dotted path of the other.
        initial: the state before the first event, where ``one`` is given.
    """

    one: str | None
    two: str
    initial: Any = None

    def run(
        self, store: EventStore, on_progress: OnProgress, on_difference: OnDifference
    ) -> ReplayAllReport:
        """Do all of it in this process."""
        report = ReplayAllReport()
        comparer = Comparer(self, report, on_difference)
        for page in iter_actor_pages(store):
            for actor in page:
                on_progress(report)
                comparer.compare(store, actor.actor_id)
        return report


class Comparer:
    """Folds actors with both functions, and counts what comes of it.

    Args:
        task: names the functions.
        report: where to count.
        on_difference: called with each actor whose state differs.
    """

    def __init__(
        self, task: Comparing, report: ReplayAllReport, on_difference: OnDifference
    ) -> None:
        self.report = report
        self._one = None if task.one is None else Fold(import_string(task.one), task.initial)
        self._two = import_string(task.two)
        self._on_difference = on_difference

    def compare(self, store: EventStore, actor_id: str) -> None:
        """Fold one actor."""
        one = self._one or fold_for(actor_id)
        if one is None:
            self.report.without_fold += 1
            return
        for found in compare_folds(store, actor_id, one, Fold(self._two, one.initial)):
            if isinstance(found, ReplayError):
                self.report.add_malformed(found)
            elif isinstance(found, StateDifference):
                self.report.differences += 1
                self._on_difference(found)
            else:
                self.report.events += found
        self.report.actors += 1
