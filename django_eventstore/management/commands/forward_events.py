"""Forward the events of one store to another."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError, InterfaceError

from ...exceptions import StoreUnavailableError
from ...maintenance.forwarding import Forwarder, forwarding_figures
from ...store import EventStore
from ...workers.loop import make_when_possible
from ..base import EventStoreCommand, add_lease_argument, add_two_stores
from ..terminal import Progress, duration


class Command(EventStoreCommand):
    help = """\
Send the events of the store FROM to the store TO, each once and in order per
actor, with their ids, versions, metadata and timestamps: an outbox, when FROM
is the application's own database.

It goes on where it ended, however it ended. With --follow it waits for new
events; a second one stands by, and takes over when the first is gone."""
    examples = """\
  manage.py forward_events default stream --follow
  manage.py forward_events default stream
  manage.py forward_events default stream --status --format json

exit status: 0 all is sent, or stopped by Ctrl-C or SIGTERM; 1 TO refuses an
event, another process forwards already, or events were left out because they
cannot be read; 2 wrong arguments"""
    names_store = False

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_two_stores(parser)
        parser.add_argument(
            "--follow", action="store_true", help="go on with what is saved from now on"
        )
        parser.add_argument(
            "--from-start",
            action="store_true",
            help="send everything again, to a target that lost or never had what was sent; what "
            "it holds is recognised",
        )
        add_lease_argument(parser, "how long one that stands by waits for a sign of life")
        parser.add_argument(
            "--status", action="store_true", help="only show how far the forwarding is"
        )

    def run(self, options: dict[str, Any]) -> None:
        source, target = self.two_stores(options)
        if not options["status"]:
            self._forward(source, target, options)
        try:
            figures = forwarding_figures(source, target)
        except (DatabaseError, InterfaceError, StoreUnavailableError):
            if self.interrupt.is_set():
                return  # what it waited for is away, and the log has said so
            raise
        left = (
            f"{self.plural(figures.lag, 'event')} left to send, the oldest saved "
            f"{duration(figures.lag_time)} ago"
            if figures.lag
            else "nothing is left to send"
        )
        text = f"{figures.name} is at position {figures.position}; {left}."
        self.print_report(options, figures.to_dict(), text)
        if figures.parked:
            raise CommandError(
                f"{figures.parked} events of FROM cannot be read, and were left out: see the model "
                f"ParkedEvent, and verify_events."
            )

    def _forward(self, source: EventStore, target: EventStore, options: dict[str, Any]) -> None:
        with Progress(self.stderr, "Forwarding") as progress:
            start = partial(
                Forwarder,
                source,
                target,
                follow=options["follow"],
                from_start=options["from_start"],
                stop=self.interrupt,
                lease=timedelta(seconds=options["lease_seconds"]),
                on_progress=progress.show,
            )
            name = f"Forwarding from {source.alias} to {target.alias}"
            if forwarder := make_when_possible(start, name, self.interrupt):
                forwarder.run()
