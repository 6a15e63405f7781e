"""Write the events of a store to an NDJSON file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandError, CommandParser

from ...maintenance.transfer import export_events
from ...store.arguments import selection
from ..base import EventStoreCommand, add_filters, not_negative, stopped, timestamp
from ..terminal import printable


class Command(EventStoreCommand):
    help = """\
Write the events of a store as NDJSON, in position order: one JSON object a line,
as import_events reads it. Events are written as they are stored.

A file appears when it is complete; until then, and after a failure, the old one
stays."""
    examples = """\
  manage.py export_events events.ndjson
  manage.py export_events | gzip > events.ndjson.gz
  manage.py export_events new.ndjson --after 8577       what is new since
  manage.py export_events 2024.ndjson --since 2024-01-01 --until 2025-01-01

The summary goes to standard error when the events go to standard output.

exit status: 0 every event was written; 1 some are malformed; 2 wrong arguments;
130 stopped by Ctrl-C"""
    shows_malformed = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "file",
            metavar="FILE",
            nargs="?",
            default="-",
            help='the file, or "-" for standard output (the default)',
        )
        parser.add_argument(
            "--after", type=not_negative, metavar="POSITION", help="only events behind it"
        )
        add_filters(parser)
        parser.add_argument(
            "--since", type=timestamp, metavar="TIME", help="only events from this time on"
        )
        parser.add_argument(
            "--until", type=timestamp, metavar="TIME", help="only events up to this time"
        )

    def run(self, options: dict[str, Any]) -> None:
        store = self.store(options)
        selected = selection(
            options["after"],
            event_types=options["event_types"],
            actor_id=options["actor"],
            since=options["since"],
            until=options["until"],
        )
        everything = not (selected.filters or options["after"])
        total = store.get_statistics().event_count if everything else None
        with self.progress("Exporting", total) as progress:
            try:
                with _output(options["file"]) as stream:
                    report = export_events(
                        store,
                        stream.write,
                        selected=selected,
                        on_malformed=lambda error: progress.say(str(error)),
                        on_progress=lambda report: progress.show(report.events),
                    )
            except KeyboardInterrupt:
                kept = "" if options["file"] == "-" else " The file was not written."
                raise stopped(f"Stopped.{kept}") from None
        self.print_report(
            options,
            asdict(report),
            f"{self.plural(report.events, 'event')} written, {report.malformed:,} malformed; "
            f"the last position is {report.position}.",
            self.stderr if options["file"] == "-" else self.stdout,
        )
        if report.malformed:
            raise CommandError("Malformed events were left out.")


@contextmanager
def _output(name: str) -> Iterator[BinaryIO]:
    """Open what is written to; a file takes its name only when it is complete."""
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        stream = part.open("wb")
    except OSError as error:
        reason = error.strerror or str(error)
        raise CommandError(printable(f"Cannot write {name!r}: {reason}.")) from error
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
