"""replay_events --all: running all of history again, and saying what came of it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError

from ...exceptions import EventStoreError
from ...maintenance.replays.regression import StateDifference
from ...maintenance.replays.report import Cause, ReplayAllReport
from ...maintenance.replays.running import compare_all, replay_all
from ...maintenance.replays.runs import check_shareable, new_run_name
from ...store import EventStore
from ..base import EventStoreCommand, stopped, wrong_arguments
from ..terminal import printable


def replay_everything(
    command: EventStoreCommand, store: EventStore, options: dict[str, Any]
) -> None:
    """Do what ``options`` of the command say, print the outcome.

    Raises:
        CommandError: something is malformed, failed, or differs.
    """
    if (options["handler"] is None) == (options["compare_with"] is None):
        raise wrong_arguments("With --all, give either --handler or --compare-with.")
    show = (_ShowJson if options["format"] == "json" else _ShowText)(command)
    run = options["run"]
    if run is not None or options["workers"] > 1:
        check_shareable(store)
    if run is None and options["workers"] > 1:
        run = new_run_name()
        command.stderr.write(f"This is run {run}: on another host, add --run {run} to join it.")
    total = store.get_statistics().event_count
    with command.progress("Replaying", total, joining=True) as progress:

        def on_progress(report: ReplayAllReport) -> None:
            progress.show(report.events, report.events, "events")

        def on_difference(difference: StateDifference) -> None:
            progress.clear()
            show.difference(difference)

        shared = {
            "workers": options["workers"],
            "run": run,
            "lease": timedelta(seconds=options["lease_seconds"]),
            "on_progress": on_progress,
        }
        try:
            if options["handler"] is not None:
                report = replay_all(store, options["handler"], after=options["after"], **shared)
            else:
                initial = options["initial"]
                report = compare_all(
                    store,
                    options["apply"],
                    options["compare_with"],
                    initial={} if initial is None else initial,
                    on_difference=on_difference,
                    **shared,
                )
        except KeyboardInterrupt:
            if run is None:
                raise
            raise stopped(f"Stopped. To go on, run it again with --run {run}.") from None
        except EventStoreError as error:
            if run is None:
                raise
            raise CommandError(f"{error} To go on, run it again with --run {run}.") from error
    show.summary(report, compared=options["compare_with"] is not None)
    _judge(command, report)


def _judge(command: EventStoreCommand, report: ReplayAllReport) -> None:
    malformed = sum(cause.count for cause in report.malformed.values())
    failed = sum(cause.count for cause in report.failed.values())
    faults = [
        command.plural(malformed, "malformed event") if malformed else "",
        f"the handler failed for {command.plural(failed, 'event')}" if failed else "",
        f"{command.plural(report.differences, 'state')} not the same" if report.differences else "",
    ]
    if text := "; ".join(filter(None, faults)):
        raise CommandError(f"{text[0].upper()}{text[1:]}.")


class _ShowText:
    def __init__(self, command: EventStoreCommand) -> None:
        self.command = command

    def difference(self, difference: StateDifference) -> None:
        command = self.command
        head = printable(f"{difference.actor_id} (version {difference.version})")
        command.stdout.write(command.style.ERROR(head))
        for text in difference.differences:
            command.stdout.write(f"  {printable(text)}")

    def summary(self, report: ReplayAllReport, *, compared: bool) -> None:
        command = self.command
        if compared:
            command.stdout.write(
                f"{command.plural(report.actors, 'actor')} with "
                f"{command.plural(report.events, 'event')} compared, "
                f"{report.differences:,} with another state; "
                f"{report.without_fold:,} without a registered fold."
            )
        else:
            command.stdout.write(f"{command.plural(report.events, 'event')} replayed.")
        if report.skipped:
            skipped = command.plural(report.skipped, "malformed event")
            command.stdout.write(f"  {skipped} passed over, marked as skipped")
        self._causes("malformed", report.malformed)
        self._causes("failed", report.failed)

    def _causes(self, kind: str, causes: dict[str, Cause]) -> None:
        for cause in sorted(causes.values(), key=lambda cause: -cause.count):
            first = cause.first
            self.command.stdout.write(
                printable(
                    f"  {cause.count:,} {kind}: {cause.reason} (first: position "
                    f"{first['position']}, actor {first['actor_id']!r})"
                )
            )


class _ShowJson(_ShowText):
    def difference(self, difference: StateDifference) -> None:
        self.command.print_json(asdict(difference))

    def summary(self, report: ReplayAllReport, *, compared: bool) -> None:
        document = asdict(report)
        for kind in ("malformed", "failed"):
            document[kind] = list(document[kind].values())
        self.command.print_json(document)
