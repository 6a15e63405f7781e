"""replay_events --all: running all of history again, and saying what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from operator import attrgetter
from typing import Any

from django.core.management.base import CommandError

from ...exceptions import EventStoreError
from ...maintenance.replays.regression import StateDifference
from ...maintenance.replays.report import ReplayAllReport
from ...maintenance.replays.running import compare_all, replay_all
from ...maintenance.replays.shared_runs import check_shareable, new_run_name
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
    run = options["run"]
    if run is not None or options["workers"] > 1:
        check_shareable(store)
    if run is None and options["workers"] > 1:
        run = new_run_name()
        command.stderr.write(f"This is run {run}: on another host, add --run {run} to join it.")
    total = store.get_statistics().event_count
    with command.progress("Replaying", total, joining=True) as progress:

        def on_difference(difference: StateDifference) -> None:
            progress.clear()
            text = "\n".join(_difference(command, difference))
            command.print_report(options, asdict(difference), text)

        shared = {
            "workers": options["workers"],
            "run": run,
            "lease": timedelta(seconds=options["lease_seconds"]),
            "on_progress": lambda report: progress.show(report.events),
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
    document = asdict(report)
    for kind in ("malformed", "failed"):
        document[kind] = list(document[kind].values())
    lines = _summary(command, report, compared=options["compare_with"] is not None)
    command.print_report(options, document, "\n".join(lines))
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


def _difference(command: EventStoreCommand, difference: StateDifference) -> Iterator[str]:
    yield command.style.ERROR(printable(f"{difference.actor_id} (version {difference.version})"))
    for text in difference.differences:
        yield f"  {printable(text)}"


def _summary(
    command: EventStoreCommand, report: ReplayAllReport, *, compared: bool
) -> Iterator[str]:
    events = command.plural(report.events, "event")
    if compared:
        yield (
            f"{command.plural(report.actors, 'actor')} with {events} compared, "
            f"{report.differences:,} with another state; "
            f"{report.without_fold:,} without a registered fold."
        )
    else:
        yield f"{events} replayed."
    if report.skipped:
        skipped = command.plural(report.skipped, "malformed event")
        yield f"  {skipped} passed over, marked as skipped"
    for kind, causes in (("malformed", report.malformed), ("failed", report.failed)):
        for cause in sorted(causes.values(), key=attrgetter("count"), reverse=True):
            yield printable(
                f"  {cause.count:,} {kind}: {cause.reason} (first: position "
                f"{cause.first['position']}, actor {cause.first['actor_id']!r})"
            )
