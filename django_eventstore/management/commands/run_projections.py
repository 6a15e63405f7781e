"""Keep projections up to date."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...projections import Projection, get_projections
from ...projections.running import work
from ...workers.parking import Parking
from ..base import (
    EventStoreCommand,
    add_count,
    add_format_argument,
    add_lease_argument,
    named_projection,
)
from ..terminal import duration


class Command(EventStoreCommand):
    help = """\
Apply the events of the stores to projections: what is there, and then what is
saved, until stopped by Ctrl-C or SIGTERM. Start it as often as you like, on any
number of hosts: the workers share the work, and take over from each other."""
    examples = """\
  manage.py run_projections
  manage.py run_projections permit-counts --workers 4
  manage.py run_projections --once
  manage.py run_projections --status --format json
  manage.py run_projections permit-counts --retry-parked --once

exit status: 0 all is well; 1 events are parked (with --once or --status), or a
worker failed; 2 wrong arguments"""
    formats = ("table", "json")
    names_store = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "names", nargs="*", metavar="NAME", help="a projection (default: all of them)"
        )
        parser.add_argument(
            "--once", action="store_true", help="end when everything that was saved is applied"
        )
        meaning = "how many processes to work in (default: 1, this one)"
        add_count(parser, "--workers", 1, meaning)
        add_lease_argument(parser)
        parser.add_argument(
            "--retry-parked", action="store_true", help="try parked events again, too"
        )
        parser.add_argument(
            "--status", action="store_true", help="only show how the projections are doing"
        )
        add_format_argument(parser, self.formats, "how to print the status")

    def run(self, options: dict[str, Any]) -> None:
        projections = [named_projection(name) for name in options["names"]] or get_projections()
        if not projections:
            raise CommandError("There are no projections; define them in an app's projections.py.")
        if options["retry_parked"]:
            self._retry(projections)
        if not options["status"]:
            self._work([projection.name for projection in projections], options)
        if options["status"] or options["once"]:
            self._show(projections, options["format"])

    def _work(self, names: list[str], options: dict[str, Any]) -> None:
        if not options["once"]:
            self.stderr.write(f"Working on {', '.join(names)}; Ctrl-C or SIGTERM ends it.")
        work(
            names,
            stop=self.interrupt,
            workers=options["workers"],
            once=options["once"],
            lease=timedelta(seconds=options["lease_seconds"]),
        )

    def _retry(self, projections: list[Projection]) -> None:
        for projection in projections:
            Parking(projection.open_consumer(), projection.retries).retry()

    def _show(self, projections: list[Projection], form: str) -> None:
        figures = [projection.figures() for projection in projections]
        if form == "json":
            self.print_json([each.to_dict() for each in figures])
        else:
            rows = [
                (
                    each.name,
                    each.position,
                    each.lag,
                    duration(each.lag_time) if each.lag else "",
                    each.workers,
                    each.parked,
                    each.last_error.strip().rpartition("\n")[2],
                )
                for each in figures
            ]
            headers = ("projection", "position", "lag", "oldest", "workers", "parked", "last error")
            self.print_table(headers, rows)
        if parked := sum(each.parked for each in figures):
            raise CommandError(
                f"{parked} {'event is' if parked == 1 else 'events are'} parked: see the model "
                f"ParkedEvent, put the cause right and use --retry-parked, or delete the rows."
            )
