"""Show events as they are saved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zlib import crc32

import orjson
from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.termcolors import colorize

from ...events import Event
from ...store import EventStore
from ...store.arguments import Filters, selection
from ..base import EventStoreCommand, add_filters, not_negative
from ..terminal import fit, printable, terminal_width

_COLOURS = ("green", "yellow", "blue", "magenta", "cyan")


class Command(EventStoreCommand):
    help = """\
Show the newest events, and then each new one as it is saved, until Ctrl-C. Each
event is shown once, and none is left out; the position in the first column is
where to go on (--after)."""
    examples = """\
  manage.py tail_events
  manage.py tail_events --last 0 --type PermitGranted --type PermitRefused
  manage.py tail_events --actor permit-2024-0001 --no-follow
  manage.py tail_events --after 8577 --format json | jq .data

exit status: 0, also after Ctrl-C; 1 the store cannot be read; 2 wrong arguments"""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        start = parser.add_mutually_exclusive_group()
        start.add_argument(
            "--last",
            type=not_negative,
            default=10,
            metavar="N",
            help="how many events to show before new ones (default: 10)",
        )
        start.add_argument(
            "--after", type=not_negative, metavar="POSITION", help="begin behind this position"
        )
        add_filters(parser)
        parser.add_argument(
            "--correlation", metavar="ID", help="only events with this correlation id"
        )
        parser.add_argument(
            "--no-follow", action="store_true", help="end instead of waiting for new events"
        )

    def run(self, options: dict[str, Any]) -> None:
        store = self.store(options)
        filters: Filters = {
            "event_types": options["event_types"],
            "actor_id": options["actor"],
            "correlation_id": options["correlation"],
        }
        self.width = terminal_width(self.stdout)
        for event in self._events(store, filters, options):
            if options["format"] == "json":
                self.print_json(event.to_dict())
            else:
                self.stdout.write(self._line(event))
            self.stdout.flush()

    def _events(
        self, store: EventStore, filters: Filters, options: dict[str, Any]
    ) -> Iterator[Event]:
        after = options["after"]
        if after is None:
            # New events are those behind what was the newest before the last ones were read.
            after = store.last_position()
            newest = store.read_all(
                before=after + 1, reverse=True, limit=options["last"], **filters
            )
            yield from reversed(list(newest))
        elif options["no_follow"]:
            yield from store.read_all(after, **filters)
        if not options["no_follow"]:
            types = filters["event_types"]
            new = store.subscribe(after, event_types=types, stop=self.interrupt)
            yield from filter(selection(**filters).matches, new)

    def _line(self, event: Event) -> str:
        when = timezone.localtime(event.timestamp)
        data = orjson.dumps(event.data).decode() if event.data else ""
        by = f" by {event.user_id}" if event.user_id else ""
        head = f"{event.position}  {when:%Y-%m-%d %H:%M:%S}  "
        name = printable(event.event_type)
        tail = printable(f"  {event.actor_id} v{event.version}{by}  {data}")
        line = fit(f"{head}{name}{tail}", self.width)
        if self.style.SUCCESS("x") == "x":
            return line
        # Of the same colour each time, in every process: by the name itself.
        colour = _COLOURS[crc32(event.event_type.encode()) % len(_COLOURS)]
        place = len(head)
        shown = line[place : place + len(name)]
        return f"{head}{colorize(shown, fg=colour)}{line[place + len(name) :]}"
