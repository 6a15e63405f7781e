"""Store the events of an NDJSON file."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from django.core.management.base import CommandError, CommandParser

from ...events.ndjson import BadLine, read_ndjson
from ...maintenance.transfer import BATCH_SIZE, ImportReport, import_events
from ..base import EventStoreCommand, add_count, stopped, wrong_arguments
from ..terminal import Interrupt, printable

_LISTED: Final = 100


@dataclass(slots=True)
class _Input:
    """A file or standard input, with a count of what was read."""

    stream: BinaryIO
    interrupt: Interrupt
    bytes_read: int = 0

    def readline(self, limit: int = -1) -> bytes:
        # Standard input may be slow to come: Ctrl-C must not wait for the next line.
        with self.interrupt.waiting():
            line = self.stream.readline(limit)
        self.bytes_read += len(line)
        return line


class Command(EventStoreCommand):
    help = """\
Store the events of an NDJSON file: one JSON object a line, with the fields
id, actor_id, event_type, timestamp (ISO 8601 with an offset), and, where they
are wanted, version, command_id, data (an object) and metadata (text to text).

An event whose id is stored already is not stored again, so the command may be
broken off (Ctrl-C, a crash) and run again, and run twice by mistake. Events are
stored a batch at a time, each batch whole or not at all. Versions must rise
within an actor; without one, an event gets the next.

A line that cannot be stored is reported with its number and the reason."""
    examples = """\
  manage.py import_events events.ndjson
  zcat events.ndjson.gz | manage.py import_events -
  manage.py import_events events.ndjson --dry-run
  manage.py import_events events.ndjson --on-error skip --format json

exit status: 0 every event is stored; 1 a line was refused; 2 wrong arguments;
130 stopped by Ctrl-C (what was stored stays; run it again to go on)"""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE", help='the file, or "-" for standard input')
        meaning = "how many events are stored at a time, all or none (default: %(default)s)"
        add_count(parser, "--batch-size", BATCH_SIZE, meaning)
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="check every line against the store, and store nothing",
        )
        parser.add_argument(
            "--on-error",
            choices=("stop", "skip"),
            default="stop",
            help="at a line that cannot be stored: stop, with nothing of its batch stored, or "
            "skip the line and store the others (default: stop)",
        )

    def run(self, options: dict[str, Any]) -> None:
        store = self.store(options)
        name: str = options["file"]
        bad: list[BadLine] = []
        report = ImportReport()
        interrupted = False
        verb = "Checking" if options["dry_run"] else "Importing"
        with _open(name) as stream, self.progress(verb, _size(name)) as progress:
            source = _Input(stream, self.interrupt)

            def on_bad(line: BadLine) -> None:
                if len(bad) < _LISTED:
                    bad.append(line)
                progress.say(f"line {line.number}: {line.reason}")

            def on_progress(now: ImportReport) -> None:
                nonlocal report
                report = now
                progress.show(source.bytes_read, count=now.new + now.already_stored)

            try:
                report = import_events(
                    store,
                    read_ndjson(source),
                    batch_size=options["batch_size"],
                    skip_bad=options["on_error"] == "skip",
                    dry_run=options["dry_run"],
                    on_bad=on_bad,
                    on_progress=on_progress,
                )
            except KeyboardInterrupt:
                interrupted = True
        self._summarise(report, bad, options, interrupted)

    def _summarise(
        self, report: ImportReport, bad: list[BadLine], options: dict[str, Any], interrupted: bool
    ) -> None:
        would = "would be stored" if options["dry_run"] else "stored"
        self.print_report(
            options,
            {
                **asdict(report),
                "interrupted": interrupted,
                "dry_run": options["dry_run"],
                "bad_lines": [line._asdict() for line in bad],
            },
            f"{self.plural(report.new, 'new event')} {would}, {report.already_stored:,} already "
            f"stored, {self.plural(report.bad, 'bad line')}.",
        )
        if interrupted:
            raise stopped("Stopped. Run the same command again to go on.")
        if report.stopped:
            raise CommandError(
                f"Stopped at line {bad[0].number}; nothing of its batch was stored. Put it right "
                f"and run the same command again, or leave bad lines out with --on-error skip."
            )
        if report.bad:
            raise CommandError("Bad lines were left out.")


def _open(name: str) -> AbstractContextManager[BinaryIO]:
    if name == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(name).open("rb")
    except OSError as error:
        reason = error.strerror or str(error)
        raise wrong_arguments(printable(f"Cannot read {name!r}: {reason}.")) from error


def _size(name: str) -> int | None:
    """Return the file's size in bytes; None for standard input, pipes and the like."""
    return None if name == "-" else Path(name).stat().st_size or None
