"""Copy the events of one store to another."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...events.ndjson import BadLine
from ...maintenance.comparing import compare_stores
from ...maintenance.transfer import BATCH_SIZE, ImportReport, copy_events
from ...maintenance.verifying import Finding, Verification
from ...store import EventStore
from ..base import EventStoreCommand, add_count, add_two_stores, not_negative, stopped


class Command(EventStoreCommand):
    help = """\
Copy the events of the store FROM to the store TO, in order, with their ids,
versions, metadata and timestamps; then read both and compare every event.
Positions are each store's own.

It may be broken off and run again: what is in TO already is not stored again.
Events that are saved to FROM meanwhile are copied too; for a move without
a pause see forward_events."""
    examples = """\
  manage.py copy_events default stream
  manage.py copy_events default stream --after 120000     go on behind a position
  manage.py copy_events default default --namespace live --to-namespace staging

exit status: 0 TO holds what FROM holds; 1 something could not be copied, or
differs; 2 wrong arguments; 130 stopped by Ctrl-C (run it again to go on)"""
    names_store = False
    shows_malformed = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_two_stores(parser)
        parser.add_argument(
            "--after",
            type=not_negative,
            metavar="POSITION",
            help="copy only events behind this position in FROM; a broken-off run names it",
        )
        meaning = "how many events are stored at a time (default: %(default)s)"
        add_count(parser, "--batch-size", BATCH_SIZE, meaning)
        parser.add_argument(
            "--on-error",
            choices=("stop", "skip"),
            default="stop",
            help="at an event that is malformed, or that TO refuses (default: stop)",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be copied, and copy nothing"
        )
        parser.add_argument(
            "--no-verify", action="store_true", help="do not read both stores and compare them"
        )

    def run(self, options: dict[str, Any]) -> None:
        source, target = self.two_stores(options)
        report = self._copy(source, target, options)
        verification = None
        if not (report.stopped or options["no_verify"] or options["dry_run"]):
            verification = self._verify(source, target)
        self._summarise(report, verification, options)

    def _copy(
        self, source: EventStore, target: EventStore, options: dict[str, Any]
    ) -> ImportReport:
        report = ImportReport()
        total = source.get_statistics().event_count if options["after"] is None else None
        with self.progress("Copying", total) as progress:

            def on_bad(line: BadLine) -> None:
                progress.say(f"position {line.number}: {line.reason}")

            def on_progress(now: ImportReport) -> None:
                nonlocal report
                report = now
                progress.show(now.new + now.already_stored)

            try:
                return copy_events(
                    source,
                    target,
                    after=options["after"],
                    batch_size=options["batch_size"],
                    skip_bad=options["on_error"] == "skip",
                    dry_run=options["dry_run"],
                    on_bad=on_bad,
                    on_progress=on_progress,
                )
            except KeyboardInterrupt:
                progress.clear()
                self._print(report, None, options)
                raise stopped(
                    f"Stopped. Run it again to go on; --after {report.line} saves looking again "
                    f"at what is copied."
                ) from None

    def _verify(self, source: EventStore, target: EventStore) -> Verification:
        total = source.get_statistics().event_count
        with self.progress("Comparing", total) as progress:

            def on_finding(finding: Finding) -> None:
                progress.say(f"{finding.kind}: {finding.where}: {finding.detail}")

            return compare_stores(
                source,
                target,
                on_finding=on_finding,
                on_progress=lambda verification: progress.show(verification.events),
            )

    def _print(
        self, report: ImportReport, verification: Verification | None, options: dict[str, Any]
    ) -> None:
        if options["format"] == "json":
            found = None if verification is None else verification.found
            compared = None if verification is None else verification.events
            document = asdict(report)
            document["position"] = document.pop("line")
            self.print_json({**document, "compared": compared, "found": found})
            return
        would = "would be copied" if options["dry_run"] else "copied"
        self.stdout.write(
            f"{self.plural(report.new, 'event')} {would}, {report.already_stored:,} there "
            f"already, {report.bad:,} could not be copied."
        )
        if verification is not None and not verification.faults:
            self.stdout.write(
                f"{self.plural(verification.events, 'event')} of "
                f"{self.plural(verification.actors, 'actor')} compared: both stores hold the same."
            )

    def _summarise(
        self, report: ImportReport, verification: Verification | None, options: dict[str, Any]
    ) -> None:
        self._print(report, verification, options)
        if report.bad:
            raise CommandError("Not every event could be copied: see above.")
        if verification is not None and verification.faults:
            raise CommandError(
                f"The stores differ in {self.plural(verification.faults, 'place')}: see above."
            )
