"""Moving events into a store: from lines of a file, or from another store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from .arguments import new_events
from .backends.base import assign_versions
from .events import Event, same_event
from .exceptions import (
    DuplicateEventError,
    EventStoreError,
    EventTooLargeError,
    InvalidEventError,
    VersionConflictError,
)
from .ndjson import BadLine, Line
from .store import EventStore

BATCH_SIZE: Final = 1000
"""How many events are stored at a time unless said otherwise."""

# How often a batch is tried while others write to the same actors.
_TRIES: Final = 5
_REFUSALS = (DuplicateEventError, EventTooLargeError, InvalidEventError, VersionConflictError)


@dataclass(slots=True)
class ImportReport:
    """How far an import has come.

    Attributes:
        line: the number of the last line that was dealt with.
        new: how many events were stored (in a dry run: would be).
        already_stored: how many were there before.
        bad: how many lines were refused.
        stopped: whether a bad line ended the import before the end of the file.
    """

    line: int = 0
    new: int = 0
    already_stored: int = 0
    bad: int = 0
    stopped: bool = False


def import_events(
    store: EventStore,
    lines: Iterable[Line | BadLine],
    *,
    batch_size: int = BATCH_SIZE,
    skip_bad: bool = False,
    dry_run: bool = False,
    on_bad: Callable[[BadLine], None] = lambda bad: None,
    on_progress: Callable[[ImportReport], None] = lambda report: None,
) -> ImportReport:
    """Store the events of ``lines`` that are not stored yet, in constant memory.

    They are stored ``batch_size`` at a time, each batch all or none; where the store cannot
    append events of several actors at once, each run of lines of one actor is a batch. The ids
    tell which events are stored already, so an import may be broken off and run again.

    Args:
        store: where to.
        lines: what ``read_ndjson()`` yields.
        batch_size: how many events are stored at a time.
        skip_bad: go on after a bad line, without its event. Otherwise a bad line ends the
            import, and nothing of its batch is stored.
        dry_run: store nothing. Each line is checked, and each batch against what the store
            holds; what a batch would change for the next one is not foreseen.
        on_bad: called with each bad line: one that holds no event, whose version is taken, or
            whose id is stored with other content.
        on_progress: called after each batch. What it raises ends the import there.

    Raises:
        StoreUnavailableError: the store does not answer; run the import again.
    """
    report = ImportReport()
    writer = _Writer(store, report, on_bad, skip_bad=skip_bad, dry_run=dry_run)
    batch: list[Line] = []
    for line in lines:
        if isinstance(line, BadLine):
            writer.refuse(line)
            if report.stopped:
                return report
        else:
            batch.append(line)
        if len(batch) >= batch_size:
            writer.write(batch)
            report.line = line.number
            on_progress(report)
            if report.stopped:
                return report
            batch = []
    if batch:
        writer.write(batch)
        report.line = max(report.line, batch[-1].number)
    on_progress(report)
    return report


class _Writer:
    """Stores batches of lines, leaving out what is stored already."""

    def __init__(
        self,
        store: EventStore,
        report: ImportReport,
        on_bad: Callable[[BadLine], None],
        *,
        skip_bad: bool,
        dry_run: bool,
    ) -> None:
        self.store = store
        self.report = report
        self.on_bad = on_bad
        self.skip_bad = skip_bad
        self.dry_run = dry_run

    def refuse(self, line: BadLine) -> None:
        self.report.bad += 1
        self.report.stopped = not self.skip_bad
        self.on_bad(line)

    def write(self, batch: Sequence[Line]) -> None:
        for lines in self._appends(batch):
            self._write(lines)
            if self.report.stopped:
                return

    def _appends(self, batch: Sequence[Line]) -> Iterator[list[Line]]:
        if self.store.supports_multi_actor_append:
            yield list(batch)
        else:
            for _, run in groupby(batch, key=lambda line: line.event.actor_id):
                yield list(run)

    def _write(self, lines: list[Line]) -> None:
        fresh = self._new_ones(lines)
        if self.dry_run:
            self.report.new += len(self._acceptable(fresh))
            return
        for attempt in range(1, _TRIES + 1):
            if not fresh:
                return
            try:
                self.store.save_events(line.event for line in fresh)
            except _REFUSALS as refusal:
                if attempt == _TRIES:
                    raise
                # Somebody may be importing the same events at this moment: then some of them are
                # stored by now. Otherwise lines are at fault.
                before, fresh = fresh, self._new_ones(fresh)
                if len(fresh) == len(before):
                    fresh = self._sort_out(fresh, refusal)
            else:
                self.report.new += len(fresh)
                return

    def _sort_out(self, lines: list[Line], refusal: EventStoreError) -> list[Line]:
        """Refuse the lines that were at fault; return those still to be stored."""
        if len(lines) == 1:
            self.refuse(BadLine(lines[0].number, str(refusal)))
            return []
        good = self._acceptable(lines, refusal)
        if len(good) == len(lines) and isinstance(refusal, EventTooLargeError):
            # Each by itself is well; together they are too large for one append.
            middle = len(lines) // 2
            self._write(lines[:middle])
            if not self.report.stopped:
                self._write(lines[middle:])
            return []
        return good

    def _acceptable(self, lines: list[Line], refusal: EventStoreError | None = None) -> list[Line]:
        """Return the lines that the store would take as it is now; refuse the others.

        ``refusal`` is what it said to all of them together.
        """
        heads: dict[str, int] = {}
        good: list[Line] = []
        for line in lines:
            actor_id = line.event.actor_id
            try:
                if isinstance(refusal, DuplicateEventError) and refusal.event_id == line.event.id:
                    raise refusal
                if actor_id not in heads:
                    heads[actor_id] = self.store.get_latest_version(actor_id)
                new = new_events([line.event], {}, self.store.options.max_event_size)
                [heads[actor_id]] = assign_versions(new, heads)
            except _REFUSALS as error:
                self.refuse(BadLine(line.number, str(error)))
                if self.report.stopped:
                    return []
            else:
                good.append(line)
        return good

    def _new_ones(self, lines: list[Line]) -> list[Line]:
        """Return the lines whose events are not stored; count those that are, refuse others."""
        store = self.store
        ids = [line.event.id for line in lines]
        actors = list(dict.fromkeys(line.event.actor_id for line in lines))
        known = store._find_events(store.namespace, ids, actors)
        fresh: list[Line] = []
        stored = 0
        for line in lines:
            event = line.event
            before = known.setdefault(event.id, event)
            if before is event:
                fresh.append(line)
            elif same_event(event, before):
                stored += 1
            else:
                error = DuplicateEventError(event.id, event.actor_id, _differences(event, before))
                self.refuse(BadLine(line.number, str(error)))
                if self.report.stopped:
                    return []
        self.report.already_stored += stored
        return fresh


def _differences(event: Event, stored: Event) -> str:
    """Name the fields in which two events differ."""
    one, other = event.to_dict(), stored.to_dict()
    names = [name for name in one if name != "position" and one[name] != other[name]]
    return f"different: {', '.join(names)}"
