"""Make snapshots of long histories."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...maintenance.snapshotting import EVENTS_SINCE, snapshot_actors
from ..base import EventStoreCommand, not_negative


class Command(EventStoreCommand):
    help = """\
Save a snapshot of the state of each actor with more than N events since its last
one, so that a replay need not start at the first event. The state is made by the
fold that the project registered for the actor
(django_eventstore.folds.register_fold). It may be run at any time, and again."""
    examples = """\
  manage.py snapshot_events
  manage.py snapshot_events --more-than 500 --search order- --dry-run

exit status: 0 all is well; 1 an actor has malformed events, or its fold failed;
2 wrong arguments; 130 stopped by Ctrl-C"""
    shows_malformed = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--more-than",
            type=not_negative,
            default=EVENTS_SINCE,
            metavar="N",
            help=f"events since the last snapshot (default: {EVENTS_SINCE})",
        )
        parser.add_argument(
            "--search", default="", metavar="TEXT", help="only actors with this in their id"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="count the snapshots, and save none"
        )

    def run(self, options: dict[str, Any]) -> None:
        store = self.store(options)
        with self.progress("Looking at", store.get_statistics().actor_count) as progress:

            def on_failure(actor_id: str, reason: str) -> None:
                progress.say(f"{actor_id}: no snapshot: {reason}.")

            report = snapshot_actors(
                store,
                search=options["search"],
                events_since=options["more_than"],
                dry_run=options["dry_run"],
                on_failure=on_failure,
                on_progress=lambda report: progress.show(report.actors, "actors"),
            )
        would = "would be saved" if options["dry_run"] else "saved"
        self.print_report(
            options,
            asdict(report),
            f"{self.plural(report.saved, 'snapshot')} {would}; "
            f"{self.plural(report.actors, 'actor')} looked at, {report.without_fold:,} of them "
            f"without a registered fold, {report.failed:,} failed.",
        )
        if report.failed:
            raise CommandError(f"{self.plural(report.failed, 'actor')} failed: see above.")
