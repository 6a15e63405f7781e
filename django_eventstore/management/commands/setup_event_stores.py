"""Make what stores need on their servers, and compare it with the options."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...conf import event_stores
from ...store import EventStore
from ..base import EventStoreCommand
from ..terminal import printable


class Command(EventStoreCommand):
    help = """\
Make what stores need on their servers (the streams of a JetStream store), and tell
what is there but is not as EVENT_STORES says, field by field. Nothing that exists is
changed without --update."""
    examples = """\
  manage.py setup_event_stores
  manage.py setup_event_stores --check
  manage.py setup_event_stores --store stream --namespace tenant-7 --update

exit status: 0 all is as the options say; 1 something is not; 2 wrong arguments"""
    names_store = False

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--store", metavar="ALIAS", help="the store (default: all in EVENT_STORES)"
        )
        modes = parser.add_mutually_exclusive_group()
        modes.add_argument("--check", action="store_true", help="only look; make nothing")
        modes.add_argument("--update", action="store_true", help="change what differs")

    def run(self, options: dict[str, Any]) -> None:
        aliases = [options["store"]] if options["store"] else sorted(event_stores)
        stores = [self.store({**options, "store": alias}) for alias in aliases]
        found = {
            store.alias: store.setup(check=options["check"], update=options["update"])
            for store in stores
        }
        if options["format"] == "json":
            self.print_json(found)
        else:
            for store in stores:
                self._print(store, found[store.alias])
        if different := sum(map(len, found.values())):
            raise CommandError(
                f"{self.plural(different, 'difference')}. Set the options to what is there, or "
                f"change what is there with --update."
            )

    def _print(self, store: EventStore, lines: list[str]) -> None:
        name = printable(str(store.alias))
        if not lines:
            self.stdout.write(f"{name}: as the options say")
        for line in lines:
            self.stdout.write(f"{name}: {printable(line)}")
