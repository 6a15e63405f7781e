"""Show an actor's events, or the state that they make."""

from __future__ import annotations

import argparse
from typing import Any

import orjson
from django.core.management.base import CommandError, CommandParser
from django.utils.module_loading import import_string

from ...events import Event, ReplayError
from ...events.event import format_timestamp
from ...folds import Fold, fold_for
from ...maintenance.replays.shared_runs import LONGEST_NAME
from ...store import EventStore
from ...workers.leases import DEFAULT_LEASE
from ..base import (
    EventStoreCommand,
    add_count,
    add_lease_argument,
    dotted_path,
    json_value,
    not_negative,
    wrong_arguments,
)
from ..terminal import error_to_dict, printable, table, terminal_width, to_json
from ._replay_all import replay_everything


class Command(EventStoreCommand):
    help = """\
Show the events of an actor in version order; or, with --state or --apply, the
state that they make. Every malformed event is shown, with its position, the
reason and what is stored.

With --all, replay every actor: call a function with each event (--handler), or
make each actor's state with two folds and show where they differ
(--compare-with): a regression test on all of history. Malformed events are
counted by cause. Several workers, on one host or several, share the actors; each
actor's events stay in order, and what a killed worker leaves is taken over."""
    examples = """\
  manage.py replay_events permit-2024-0001
  manage.py replay_events permit-2024-0001 --to-version 5 --state
  manage.py replay_events order-7 --apply shop.orders.apply --initial '{"lines": []}'
  manage.py replay_events --all --handler shop.search.index --workers 4
  manage.py replay_events --all --handler shop.search.index --workers 4 --run reindex
  manage.py replay_events --all --compare-with shop.orders.new_apply

exit status: 0 all is well; 1 events are malformed, there are none, a function
failed, or states differ; 2 wrong arguments; 130 stopped by Ctrl-C"""
    formats = ("table", "json")
    shows_malformed = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("actor_id", metavar="ACTOR_ID", nargs="?", help="the actor")
        parser.add_argument(
            "--from-version",
            type=not_negative,
            default=0,
            metavar="N",
            help="show events from this version on (a state is always made from the first)",
        )
        parser.add_argument(
            "--to-version", type=not_negative, metavar="N", help="the last version, inclusive"
        )
        parser.add_argument(
            "--state",
            action="store_true",
            help="show the state, made by the fold that the project registered for the actor "
            "(django_eventstore.folds.register_fold)",
        )
        parser.add_argument(
            "--apply",
            type=dotted_path,
            metavar="PATH",
            help="show the state, made by this function: apply(state, event) -> state",
        )
        parser.add_argument(
            "--initial",
            type=json_value,
            metavar="JSON",
            help="with --apply, the state before the first event (default: {})",
        )

        parser.add_argument("--all", action="store_true", help="replay every actor")
        parser.add_argument(
            "--handler",
            type=dotted_path,
            metavar="PATH",
            help="with --all, call this function with each event: handler(event)",
        )
        parser.add_argument(
            "--compare-with",
            type=dotted_path,
            metavar="PATH",
            help="with --all, make each state with this fold too, and show where it differs from "
            "that of --apply, or of the registered fold",
        )
        meaning = "with --all, how many processes share the actors (default: %(default)s)"
        add_count(parser, "--workers", 1, meaning)
        parser.add_argument(
            "--run",
            type=_run_name,
            metavar="NAME",
            help="with --all, the name of a run: on each host that is to take part, the same; it "
            "goes on where it was broken off",
        )
        add_lease_argument(parser)
        parser.add_argument(
            "--after",
            type=not_negative,
            metavar="POSITION",
            help="with --handler, only events behind this position",
        )

    def run(self, options: dict[str, Any]) -> None:
        if options["all"] == (options["actor_id"] is not None):
            raise wrong_arguments("Name an actor, or give --all.")
        _check_together(options)
        store = self.store(options)
        if options["all"]:
            replay_everything(self, store, options)
            return
        if options["apply"] or options["state"]:
            errors = self._show_state(store, options)
        else:
            errors = self._show_events(store, options)
        if errors:
            raise CommandError(f"{self.plural(len(errors), 'malformed event')}: see above.")

    def _show_events(self, store: EventStore, options: dict[str, Any]) -> list[ReplayError]:
        actor_id = options["actor_id"]
        result = store.get_events_with_errors(
            actor_id, options["from_version"], to_version=options["to_version"]
        )
        if not (result.events or result.errors):
            raise CommandError(self._nothing(store, actor_id))
        if options["format"] == "json":
            self.print_json(
                {
                    "actor_id": actor_id,
                    "events": [event.to_dict() for event in result.events],
                    "errors": [error_to_dict(error) for error in result.errors],
                }
            )
            return result.errors
        lines = table(
            ("version", "time", "event", "by", "data"),
            (_row(event) for event in result.events),
            width=terminal_width(self.stdout),
        )
        self.stdout.write(self.style.MIGRATE_HEADING(next(lines)))
        for line in lines:
            self.stdout.write(line)
        self._show_errors(result.errors)
        return result.errors

    def _show_state(self, store: EventStore, options: dict[str, Any]) -> list[ReplayError]:
        actor_id = options["actor_id"]
        fold = self._fold(options)
        try:
            replayed = store.replay(
                actor_id,
                fold.apply,
                fold.initial,
                to_version=options["to_version"],
                # A snapshot was made by the registered fold, which this one need not be.
                use_snapshot=not options["apply"],
                schema_version=fold.schema_version,
            )
        except Exception as error:  # whatever the project's function raises
            notes = "; ".join(getattr(error, "__notes__", ()))
            raise CommandError(
                printable(f"The fold raised {type(error).__name__}: {error} ({notes})")
            ) from error
        if not (replayed.version or replayed.errors):
            raise CommandError(self._nothing(store, actor_id))
        if options["format"] == "json":
            self.print_json(
                {
                    "actor_id": actor_id,
                    "version": replayed.version,
                    "events_applied": replayed.events_applied,
                    "snapshot_version": replayed.snapshot_version,
                    "state": replayed.state,
                    "errors": [error_to_dict(error) for error in replayed.errors],
                }
            )
            return replayed.errors
        since = (
            f" on the snapshot at version {replayed.snapshot_version}"
            if replayed.snapshot_version
            else ""
        )
        self.stdout.write(
            self.style.MIGRATE_HEADING(
                printable(
                    f"{actor_id} at version {replayed.version} "
                    f"({self.plural(replayed.events_applied, 'event')} applied{since})"
                )
            )
        )
        self._show_value(replayed.state)
        self._show_errors(replayed.errors)
        return replayed.errors

    def _fold(self, options: dict[str, Any]) -> Fold:
        if options["apply"]:
            initial = options["initial"]
            return Fold(import_string(options["apply"]), {} if initial is None else initial)
        fold = fold_for(options["actor_id"])
        if fold is None:
            raise CommandError(
                printable(
                    f"No fold is registered for {options['actor_id']!r}: name a function with "
                    f"--apply, or register one (django_eventstore.folds.register_fold)."
                )
            )
        return fold

    def _show_value(self, state: Any) -> None:
        if isinstance(state, dict) and state:
            size = max(len(printable(str(key))) for key in state)
            for key, value in state.items():
                self.stdout.write(f"  {printable(str(key)):<{size}}  {_text(value)}")
        else:
            self.stdout.write(f"  {_text(state)}")

    def _show_errors(self, errors: list[ReplayError]) -> None:
        for error in errors:
            self.stdout.write(self.style.ERROR(printable(str(error))))
            raw = error.raw if isinstance(error.raw, str) else error.raw.decode(errors="replace")
            self.stdout.write(f"  stored: {printable(raw)}")

    def _nothing(self, store: EventStore, actor_id: str) -> str:
        latest = store.get_latest_version(actor_id)
        if latest:
            return f"{printable(actor_id)} has no events there: it is at version {latest}."
        return f"There are no events of {printable(repr(actor_id))} in this store and namespace."


def _run_name(text: str) -> str:
    if not 0 < len(text) <= LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"a name has 1 to {LONGEST_NAME} characters")
    return text


def _check_together(options: dict[str, Any]) -> None:
    """Refuse what would be passed over in silence."""
    everything = ("handler", "compare_with", "after", "run")
    default_lease = int(DEFAULT_LEASE.total_seconds())
    rules = [(name, bool(options["all"]), "--all") for name in everything]
    rules += [
        ("workers", options["all"] or options["workers"] == 1, "--all"),
        ("lease_seconds", options["all"] or options["lease_seconds"] == default_lease, "--all"),
        ("state", not options["all"], "an actor"),
        ("from_version", not options["all"], "an actor"),
        ("to_version", not options["all"], "an actor"),
        ("initial", bool(options["apply"]), "--apply"),
        ("after", bool(options["handler"]), "--handler"),
        ("apply", not options["handler"], "an actor, or --compare-with"),
    ]
    for name, allowed, needed in rules:
        if options[name] not in (None, False, 0) and not allowed:
            raise wrong_arguments(f"--{name.replace('_', '-')} goes with {needed}.")


def _row(event: Event) -> tuple[object, ...]:
    return (
        event.version,
        format_timestamp(event.timestamp)[:-8].replace("T", " "),
        event.event_type,
        event.user_id or "",
        orjson.dumps(event.data).decode() if event.data else "",
    )


def _text(value: Any) -> str:
    return printable(value) if isinstance(value, str) else to_json(value)
