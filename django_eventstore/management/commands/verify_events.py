"""Check a store, or compare it with another."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...maintenance.comparing import compare_stores
from ...maintenance.verifying import Finding, Verification, verify_store
from ...store import EventStore
from ..base import EventStoreCommand, is_same, wrong_arguments
from ..terminal import printable


class Command(EventStoreCommand):
    help = """\
Read a whole store and report what is wrong with it: positions or versions out of
order, versions that are there twice, malformed events (an upcaster that fails
makes one), counts that do not agree, and snapshots that are not what a replay
makes. What is allowed is noted, and no fault: gaps between versions, histories
whose beginning was removed. --verbosity 2 shows each note.

With --against, compare with another store instead, event by event: what only one
of them has, and each field that differs."""
    examples = """\
  manage.py verify_events
  manage.py verify_events --store default --against stream
  manage.py verify_events --format json        a line for each finding, then a summary

exit status: 0 all is well (notes are no fault); 1 something is wrong; 2 wrong
arguments; 130 stopped by Ctrl-C"""
    shows_malformed = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--against", metavar="ALIAS", help="compare with this store")
        parser.add_argument(
            "--against-namespace",
            metavar="NAME",
            help="the namespace in the other store (default: that of --namespace, or its own)",
        )

    def run(self, options: dict[str, Any]) -> None:
        store = self.store(options)
        total = store.get_statistics().event_count
        with self.progress("Verifying", total) as progress:

            def on_finding(finding: Finding) -> None:
                progress.clear()
                self._print(finding, options)

            other = self._other(store, options)
            work = partial(compare_stores, store, other) if other else partial(verify_store, store)
            verification = work(
                on_finding=on_finding, on_progress=lambda report: progress.show(report.events)
            )
        self._summarise(verification, options)

    def _other(self, store: EventStore, options: dict[str, Any]) -> EventStore | None:
        if options["against"] is None:
            return None
        other = self.store(options, "against", "against_namespace")
        if is_same(store, other):
            raise wrong_arguments("A store cannot be compared with itself.")
        return other

    def _print(self, finding: Finding, options: dict[str, Any]) -> None:
        if options["format"] == "json":
            self.print_json({**asdict(finding), "fault": finding.is_fault})
            return
        if not finding.is_fault and options["verbosity"] < 2:
            return
        style = self.style.ERROR if finding.is_fault else self.style.WARNING
        where = printable(f"{finding.where}: {finding.detail}")
        self.stdout.write(f"{style(finding.kind)}: {where}")

    def _summarise(self, verification: Verification, options: dict[str, Any]) -> None:
        faults = verification.faults
        if options["format"] == "json":
            self.print_json({**asdict(verification), "faults": faults})
        else:
            parts = [
                self.plural(verification.events, "event"),
                self.plural(verification.actors, "actor"),
            ]
            if options["against"] is None:
                parts.append(self.plural(verification.snapshots, "snapshot"))
            found = ", ".join(
                f"{count:,} {kind}" for kind, count in sorted(verification.found.items())
            )
            self.stdout.write(f"{', '.join(parts)} verified: {found or 'all is well'}.")
            if verification.found and not faults and options["verbosity"] < 2:
                self.stdout.write("None of it is a fault; --verbosity 2 shows each.")
        if faults:
            raise CommandError(f"{self.plural(faults, 'fault')} found.")
