"""Remove old events, for good."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...maintenance.pruning import PruneReport, prune_events
from ...store import EventStore
from ..base import EventStoreCommand, age, stopped, wrong_arguments
from ..terminal import printable


class Command(EventStoreCommand):
    help = """\
Remove the beginning of each actor's history, for good: events older than an age,
or those up to the newest snapshot, or (with both options) those that are both.
The newest event of each actor always stays, and so does everything from the first
event that is to stay. Without --up-to-snapshot, states may no longer be replayed.

It counts first, and asks before it removes anything."""
    examples = """\
  manage.py prune_events --up-to-snapshot --dry-run
  manage.py prune_events --older-than 365d --up-to-snapshot
  manage.py prune_events --older-than 2020-01-01 --no-input

exit status: 0 all is well; 1 not confirmed, or the store cannot remove events;
2 wrong arguments; 130 stopped by Ctrl-C (what was removed is gone)"""
    shows_malformed = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--older-than",
            type=age,
            metavar="AGE",
            help="events older than this: 90d, 12h, or a date or time such as 2024-01-31",
        )
        parser.add_argument(
            "--up-to-snapshot",
            action="store_true",
            help="events up to the actor's newest usable snapshot",
        )
        parser.add_argument(
            "--actor", metavar="ACTOR_ID", help="only this actor (default: every actor)"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="count what would be removed, remove nothing"
        )
        parser.add_argument(
            "--no-input", "--noinput", action="store_false", dest="interactive", help="do not ask"
        )

    def run(self, options: dict[str, Any]) -> None:
        if options["older_than"] is None and not options["up_to_snapshot"]:
            raise wrong_arguments("Say what to remove: --older-than, --up-to-snapshot, or both.")
        store = self.store(options)
        report = self._prune(store, options, dry_run=True)
        if report.events and not options["dry_run"]:
            if options["interactive"]:
                self._ask(store, report)
            report = self._prune(store, options, dry_run=False)
        would = "would be removed" if options["dry_run"] else "removed"
        self.print_report(options, asdict(report), f"{self._count(report)} {would}.")

    def _prune(self, store: EventStore, options: dict[str, Any], *, dry_run: bool) -> PruneReport:
        verb = "Counting" if dry_run else "Removing"
        report = PruneReport()
        with self.progress(verb, store.get_statistics().actor_count) as progress:

            def on_progress(now: PruneReport) -> None:
                nonlocal report
                report = now
                progress.show(now.actors, count=now.events)

            try:
                return prune_events(
                    store,
                    older_than=options["older_than"],
                    up_to_snapshot=options["up_to_snapshot"],
                    actor_id=options["actor"],
                    dry_run=dry_run,
                    on_progress=on_progress,
                )
            except KeyboardInterrupt:
                removed = f"{self.plural(report.events, 'event')} are"
                raise stopped(
                    f"Stopped; {'nothing was' if dry_run else removed} removed."
                ) from None

    def _count(self, report: PruneReport) -> str:
        return (
            f"{self.plural(report.events, 'event')} of {self.plural(report.pruned_actors, 'actor')}"
        )

    def _ask(self, store: EventStore, report: PruneReport) -> None:
        namespace = f", namespace {store.namespace!r}" if store.namespace else ""
        self.stderr.write(
            printable(
                f"{self._count(report)} will be removed from the store {store.alias!r}{namespace}, "
                f"for good."
            ),
            style_func=self.style.WARNING,
        )
        if report.without_snapshot:
            self.stderr.write(
                f"{self.plural(report.without_snapshot, 'actor')} will have no state to replay: "
                f"no usable snapshot holds what is removed.",
                style_func=self.style.WARNING,
            )
        try:
            with self.interrupt.waiting():
                answer = input("Type 'yes' to remove them: ")
        except EOFError:
            answer = ""
        if answer != "yes":
            raise CommandError("Nothing was removed.")
