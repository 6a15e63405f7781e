"""Moving events: from a file into a store, from a store into a file, from store to store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Final, TypeVar

from ..backends.base import assign_versions
from ..backends.values import Selection
from ..events import Event, ReplayError
from ..events.event import event_differences, same_event
from ..events.ndjson import BadLine, Line, to_line
from ..exceptions import (
    DuplicateEventError,
    EventStoreError,
    EventTooLargeError,
    InvalidEventError,
    VersionConflictError,
)
from ..store import EventStore
from ..store.arguments import new_events

Item = TypeVar("Item")

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
    number = 0
    try:
        for line in lines:
            number = line.number
            if isinstance(line, BadLine):
                writer.refuse(line)
            else:
                batch.append(line)
            if len(batch) >= batch_size:
                writer.write(batch)
                batch = []
                report.line = number
                on_progress(report)
        writer.write(batch)
        report.line = number
    except _Stopped:
        report.stopped = True
    on_progress(report)
    return report


@dataclass(slots=True)
class ExportReport:
    """How far an export has come.

    Attributes:
        events: how many events were written.
        malformed: how many could not be read.
        position: the position of the last event; ``after`` for the next export.
    """

    events: int = 0
    malformed: int = 0
    position: int = 0


def export_events(
    store: EventStore,
    write: Callable[[bytes], object],
    *,
    selected: Selection | None = None,
    on_malformed: Callable[[ReplayError], None] = lambda error: None,
    on_progress: Callable[[ExportReport], None] = lambda report: None,
) -> ExportReport:
    """Write the events of a store as NDJSON lines, in position order, in constant memory.

    They are written as they are stored: upcasters are not run. ``import_events()`` of the lines
    makes an equal store.

    Args:
        store: where from.
        write: gets each line.
        selected: which events; all of them unless given.
        on_malformed: called with each malformed event, which has no line.
        on_progress: called after each event. What it raises ends the export there.
    """
    report = ExportReport()
    for item in store.backend.read_store(store.namespace, selected or Selection()):
        if isinstance(item, Event):
            write(to_line(item))
            report.events += 1
        else:
            report.malformed += 1
            on_malformed(item)
        report.position = item.position or report.position
        on_progress(report)
    return report


def copy_events(
    source: EventStore,
    target: EventStore,
    *,
    after: int | None = None,
    batch_size: int = BATCH_SIZE,
    skip_bad: bool = False,
    dry_run: bool = False,
    on_bad: Callable[[BadLine], None] = lambda bad: None,
    on_progress: Callable[[ImportReport], None] = lambda report: None,
) -> ImportReport:
    """Copy the events of one store to another, with their ids, versions, metadata and timestamps.

    In the order of their positions, which each store gives anew. It may be broken off and run
    again, as ``import_events()``, and takes and returns the same; the line's number is the
    position in ``source``. A malformed event is a bad line. What is saved to ``source``
    meanwhile is copied too, up to the moment at which nothing is left.

    Args:
        after: a position in ``source``; only events behind it. An earlier report's ``line``
            saves looking again for what it has copied.
    """
    items = source.backend.read_store(source.namespace, Selection(after=after))
    return import_events(
        target,
        map(_as_line, items),
        batch_size=batch_size,
        skip_bad=skip_bad,
        dry_run=dry_run,
        on_bad=on_bad,
        on_progress=on_progress,
    )


def split_into_appends(
    store: EventStore, items: Sequence[Item], actor_id: Callable[[Item], str]
) -> Iterator[list[Item]]:
    """Yield what can go into one append: everything, or each run of items of one actor."""
    together = store.backend.supports_multi_actor_append
    for _, run in groupby(items, key=lambda item: together or actor_id(item)):
        yield list(run)


def _as_line(item: Event | ReplayError) -> Line | BadLine:
    if isinstance(item, Event):
        return Line(item.position or 0, item)
    return BadLine(item.position or 0, f"is malformed: {item.error}")


class _Stopped(Exception):
    """A bad line ends the import."""


@dataclass(slots=True)
class _Writer:
    """Stores batches of lines, leaving out what is stored already."""

    store: EventStore
    report: ImportReport
    on_bad: Callable[[BadLine], None]
    skip_bad: bool
    dry_run: bool

    def refuse(self, line: BadLine) -> None:
        self.report.bad += 1
        self.on_bad(line)
        if not self.skip_bad:
            raise _Stopped

    def write(self, batch: Sequence[Line]) -> None:
        for lines in split_into_appends(self.store, batch, attrgetter("event.actor_id")):
            self._write(lines)

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
            else:
                good.append(line)
        return good

    def _new_ones(self, lines: list[Line]) -> list[Line]:
        """Return the lines whose events are not stored; count those that are, refuse others."""
        store = self.store
        ids = [line.event.id for line in lines]
        actors = list(dict.fromkeys(line.event.actor_id for line in lines))
        known = store.backend.find_events(store.namespace, ids, actors)
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
                details = "; ".join(event_differences(event, before))
                error = DuplicateEventError(
                    event.id, event.actor_id, f"is already stored with other content ({details})"
                )
                self.refuse(BadLine(line.number, str(error)))
        self.report.already_stored += stored
        return fresh
