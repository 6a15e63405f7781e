"""Rebuild a projection from the first event."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser

from ...projections.rebuild import Rebuild, RebuildReport
from ..base import (
    EventStoreCommand,
    add_count,
    add_format_argument,
    add_lease_argument,
    named_projection,
    stopped,
)
from ..terminal import Progress, printable


class Command(EventStoreCommand):
    help = """\
Build the tables of a projection anew from all events, beside the live ones;
say which rows differ; and put the new tables in place of the live ones, at one
moment. Readers never see half-built tables, and the live projection goes on
meanwhile. The former tables are kept until the next rebuild: --rollback brings
them up to date and back.

It may be broken off and run again: it goes on where it was."""
    examples = """\
  manage.py rebuild_projection permit-counts --workers 4
  manage.py rebuild_projection permit-counts --no-swap     build and compare only
  manage.py rebuild_projection permit-counts --rollback
  manage.py rebuild_projection permit-counts --discard     drop all but the live tables

exit status: 0 done, whether rows differ or not; 1 it could not be done; 2 wrong
arguments; 130 stopped by Ctrl-C (run it again to go on)"""
    names_store = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the projection")
        act = parser.add_mutually_exclusive_group()
        act.add_argument(
            "--no-swap", action="store_true", help="leave the live tables where they are"
        )
        act.add_argument(
            "--rollback", action="store_true", help="put the former tables back in place"
        )
        act.add_argument("--discard", action="store_true", help="drop former and half-built tables")
        add_count(parser, "--workers", 1, "how many processes build (default: 1, this one)")
        add_lease_argument(parser)
        add_format_argument(parser, self.formats)

    def run(self, options: dict[str, Any]) -> None:
        progress = Progress(self.stderr, "Building")

        def on_progress(position: int, end: int) -> None:
            progress.total = end
            progress.show_part(position)

        rebuild = Rebuild(
            named_projection(options["name"]),
            workers=options["workers"],
            stop=self.interrupt,
            lease=timedelta(seconds=options["lease_seconds"]),
            on_progress=on_progress,
        )
        if options["discard"]:
            rebuild.discard()
            self.stderr.write("Only the live tables are left.")
            return
        with progress:
            if options["rollback"]:
                report = rebuild.roll_back()
            else:
                report = rebuild.run(swap=not options["no_swap"])
        if options["format"] == "json":
            self.print_json(asdict(report))
        else:
            self._show(report, "former" if options["rollback"] else "new")
        if not report.finished:
            raise stopped("Stopped; run it again to go on.")

    def _show(self, report: RebuildReport, other: str) -> None:
        """Print what came of it; ``other`` is what the tables beside the live ones are."""
        for table in report.tables:
            rows = f"{self.plural(table.live_rows, 'row')} live, {table.new_rows:,} {other}"
            only = f"{table.only_live:,} only live, {table.only_new:,} only {other}"
            self.stdout.write(f"{table.model}: {rows}; {'equal' if table.equal else only}")
            for row in table.examples:
                self.stdout.write(printable(f"  {row | {'in': row['in'].replace('new', other)}}"))
        if report.live_lag:
            behind = self.plural(report.live_lag, "event")
            self.stderr.write(f"The live tables were {behind} behind the {other} ones.")
        if report.parked:
            parked = self.plural(report.parked, "event")
            self.stderr.write(f"{parked} parked: not in the {other} tables.")
        if report.finished:
            self.stdout.write(
                f"The {other} tables are live now."
                if report.swapped
                else "The live tables stay in place."
            )
