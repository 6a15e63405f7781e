"""The base of the commands: naming a store, and ending well."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
    OutputWrapper,
)
from django.db import DatabaseError, InterfaceError, reset_queries
from django.utils import timezone
from django.utils.connection import ConnectionDoesNotExist
from django.utils.module_loading import import_string

from ..conf import event_stores, parse_duration
from ..events.validation import check_integer
from ..exceptions import EventStoreError, InvalidEventError
from ..outages import explain
from ..projections import Projection, get_projection
from ..store import EventStore
from ..workers.leases import DEFAULT_LEASE
from .terminal import Interrupt, Progress, printable, table, terminal_width, to_json

_BROKEN_PIPE: Final = 141


def wrong_arguments(text: str) -> CommandError:
    """Return what ends a command that was asked for something that makes no sense."""
    # No class of its own: Django prints the name of the class.
    return CommandError(text, returncode=2)


def stopped(text: str = "Stopped.") -> CommandError:
    """Return what ends a command after Ctrl-C, with the exit status that shells have."""
    return CommandError(text, returncode=130)


class _HelpFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of descriptions and examples."""


class EventStoreCommand(BaseCommand):
    """A command on one store: fill in ``run()``.

    Exit status: 0 when all is well, 1 when something was found or refused, 2 for wrong arguments,
    130 after Ctrl-C.
    """

    # A store that is misconfigured says so itself; what checks warn of is not said each time.
    requires_system_checks: Any = ()
    examples: ClassVar[str] = ""
    """Lines for the end of ``--help``."""
    formats: ClassVar[tuple[str, ...]] = ("text", "json")
    """What ``--format`` offers; the first is the default."""
    names_store: ClassVar[bool] = True
    """Does ``--store`` name the one store that the command works on?"""
    shows_malformed: ClassVar[bool] = False
    """Does the command itself tell of each malformed event, so that the log need not?"""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs.setdefault("formatter_class", _HelpFormatter)
        if self.examples:
            kwargs.setdefault("epilog", f"examples:\n{self.examples}")
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        if self.names_store:
            parser.add_argument(
                "--store",
                default="default",
                metavar="ALIAS",
                help='the store, as EVENT_STORES names it (default: "default")',
            )
        parser.add_argument(
            "--namespace", metavar="NAME", help="the namespace (default: the store's own NAMESPACE)"
        )
        add_format_argument(parser, self.formats)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with Interrupt() as self.interrupt, self._quiet_log():
                self.run(options)
            self.stdout.flush()
        except KeyboardInterrupt:
            raise stopped() from None
        except InvalidEventError as error:  # of an argument
            raise wrong_arguments(printable(str(error))) from error
        except (EventStoreError, ImproperlyConfigured) as error:
            raise CommandError(printable(str(error))) from error
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(printable(f"The database fails: {explain(error)}")) from error
        except BrokenPipeError:
            # Whoever read our output has had enough; nothing more can be said to it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(_BROKEN_PIPE) from None

    @contextmanager
    def _quiet_log(self) -> Iterator[None]:
        log = logging.getLogger("django_eventstore")
        level = log.level
        if self.shows_malformed:
            log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)

    def run(self, options: dict[str, Any]) -> None:
        """Do the work; what an argument is called, ``options`` has under that name."""
        raise NotImplementedError

    def store(
        self, options: dict[str, Any], name: str = "store", namespace: str = "namespace"
    ) -> EventStore:
        """Return the store that the argument ``name`` names, in the namespace asked for.

        The argument ``namespace`` says which, and where it does not ``--namespace``.
        """
        alias = options[name]
        try:
            store: EventStore = event_stores[alias]
        except ConnectionDoesNotExist as error:
            known = ", ".join(sorted(event_stores))
            raise wrong_arguments(
                f"There is no store {printable(repr(alias))} in EVENT_STORES; there are: {known}."
            ) from error
        asked = options["namespace"] if options[namespace] is None else options[namespace]
        return store if asked is None else store.with_namespace(asked)

    def two_stores(self, options: dict[str, Any]) -> tuple[EventStore, EventStore]:
        """Return the stores of ``add_two_stores()``, which must not be the same."""
        source = self.store(options, "source")
        target = self.store(options, "target", "to_namespace")
        if is_same(source, target):
            raise wrong_arguments("FROM and TO are the same store and namespace.")
        return source, target

    def progress(self, label: str, total: int | None = None, *, joining: bool = False) -> Progress:
        """Return a Progress that stops the work, where it is shown, if a signal has come."""
        return Progress(self.stderr, label, total, joining=joining, on_step=self.between_steps)

    def between_steps(self) -> None:
        """Stop here if a signal has come; call it where nothing is half done."""
        if settings.DEBUG:
            # Django then keeps every statement with its values: those of millions of events.
            reset_queries()
        self.interrupt.check()

    def plural(self, count: int, noun: str) -> str:
        """Return ``1 event``, ``2 events``."""
        return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"

    def print_json(self, value: Any, out: OutputWrapper | None = None) -> None:
        """Print ``value`` as one line of JSON, to standard output unless said otherwise."""
        (out or self.stdout).write(to_json(value), style_func=str)

    def print_report(
        self,
        options: dict[str, Any],
        document: dict[str, Any],
        text: str,
        out: OutputWrapper | None = None,
    ) -> None:
        """Print what came of it: ``document`` with ``--format json``, else ``text``."""
        if options["format"] == "json":
            self.print_json(document, out)
        else:
            (out or self.stdout).write(text, style_func=str)

    def print_table(self, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table, cut to the width of the terminal."""
        for line in table(headers, rows, width=terminal_width(self.stdout)):
            self.stdout.write(line)


def is_same(store: EventStore, other: EventStore) -> bool:
    """Tell whether two stores are one, in one namespace."""
    return (store.alias, store.namespace) == (other.alias, other.namespace)


def named_projection(name: str) -> Projection:
    """Return the projection of that name, or end the command: a wrong argument."""
    try:
        return get_projection(name)
    except ImproperlyConfigured as error:
        raise wrong_arguments(str(error)) from error


def add_two_stores(parser: CommandParser) -> None:
    """Add the arguments of a command that moves events, for ``two_stores()``."""
    parser.add_argument("source", metavar="FROM", help="the alias of the store to read")
    parser.add_argument("target", metavar="TO", help="the alias of the store to write to")
    parser.add_argument(
        "--to-namespace",
        metavar="NAME",
        help="the namespace in TO (default: that of --namespace, or else TO's own)",
    )


def add_filters(parser: CommandParser) -> None:
    """Add the arguments of a command that selects events."""
    parser.add_argument(
        "--type",
        action="append",
        dest="event_types",
        metavar="TYPE",
        help="only events of this type; may be given several times",
    )
    parser.add_argument("--actor", metavar="ACTOR_ID", help="only events of this actor")


def add_format_argument(
    parser: CommandParser, formats: Sequence[str], meaning: str = "what to print"
) -> None:
    """Add ``--format``; the first is the default."""
    parser.add_argument(
        "--format", choices=formats, default=formats[0], help=f"{meaning} (default: %(default)s)"
    )


def add_count(parser: CommandParser, name: str, default: int, meaning: str) -> None:
    """Add an option that is a whole number from 1."""
    parser.add_argument(name, type=positive, default=default, metavar="N", help=meaning)


def add_lease_argument(
    parser: CommandParser,
    meaning: str = "how long a worker that gives no sign of life keeps its share",
) -> None:
    """Add ``--lease-seconds``, a whole number."""
    seconds = int(DEFAULT_LEASE.total_seconds())
    add_count(parser, "--lease-seconds", seconds, f"{meaning} (default: %(default)s)")


def positive(text: str) -> int:
    """Return the whole number from 1; for ``type=`` of an argument."""
    return _integer(text, 1)


def not_negative(text: str) -> int:
    """Return the whole number from 0; for ``type=`` of an argument."""
    return _integer(text, 0)


def _integer(text: str, minimum: int) -> int:
    try:
        return check_integer("it", int(text), minimum=minimum)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no whole number from {minimum} up"
        ) from error


def json_value(text: str) -> Any:
    """Return the JSON value; for ``type=`` of an argument."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON: {error}") from error


def timestamp(text: str) -> datetime:
    """Return the aware datetime of ISO 8601 text; for ``type=`` of an argument.

    Without an offset it is in the project's time zone; a date is its beginning.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no ISO 8601 date or time, such as 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from error
    return parsed if parsed.tzinfo else timezone.make_aware(parsed)


def age(text: str) -> datetime:
    """Return the time that lies that long ago, or the time itself; for ``type=``."""
    try:
        duration = parse_duration(text)
        return timestamp(text) if duration is None else timezone.now() - duration
    except (argparse.ArgumentTypeError, OverflowError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither an age, such as 365d or 12h, nor an ISO 8601 date or time"
        ) from error


def dotted_path(text: str) -> str:
    """Return the dotted path of a callable that can be imported; for ``type=`` of an argument."""
    try:
        found = import_string(text)
    except ImportError as error:
        raise argparse.ArgumentTypeError(f"cannot import {text!r}: {error}") from error
    if not callable(found):
        raise argparse.ArgumentTypeError(f"{text!r} is not callable")
    return text
