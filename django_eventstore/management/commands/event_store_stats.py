"""Show how much a store holds."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import CommandParser

from ...events import Event, ReplayError
from ...events.event import format_timestamp
from ...store import EventStore
from ..base import EventStoreCommand
from ..terminal import printable

_LONGEST = 5


class Command(EventStoreCommand):
    help = """\
Show where a store keeps its events, how many events and actors it holds, its first
and last event, and its longest histories. With --full, read every event and count
them by type, and those that are malformed."""
    examples = """\
  manage.py event_store_stats
  manage.py event_store_stats --store stream --full --format json

exit status: 0; 1 the store cannot be read; 2 wrong arguments"""
    shows_malformed = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--full", action="store_true", help="read every event, to count them by type"
        )

    def run(self, options: dict[str, Any]) -> None:
        store = self.store(options)
        statistics = store.get_statistics()
        document: dict[str, Any] = {
            "store": store.alias,
            "namespace": store.namespace,
            **store.describe(),
            "events": statistics.event_count,
            "actors": statistics.actor_count,
            "estimated": statistics.estimated,
            "first_event": _place(next(store.read_all(limit=1), None)),
            "last_event": _place(next(store.read_all(limit=1, reverse=True), None)),
            "longest_histories": _longest(store),
        }
        if options["full"]:
            document |= self._count(store, statistics.event_count)
        if options["format"] == "json":
            self.print_json(document)
        else:
            self._print(document)

    def _count(self, store: EventStore, total: int) -> dict[str, Any]:
        types: Counter[str] = Counter()
        malformed = 0
        with self.progress("Reading", total) as progress:
            for read, item in enumerate(store.read_all_with_errors(), 1):
                if isinstance(item, ReplayError):
                    malformed += 1
                else:
                    types[item.event_type] += 1
                progress.show(read)
        return {"malformed": malformed, "event_types": dict(types.most_common())}

    def _print(self, document: dict[str, Any]) -> None:
        rows = [
            (name.replace("_", " "), _shown(name, value, document["estimated"]))
            for name, value in document.items()
            if name not in ("longest_histories", "event_types", "estimated")
        ]
        size = max(len(name) for name, _ in rows)
        for name, shown in rows:
            self.stdout.write(f"{name:<{size}}  {printable(shown)}")
        for name, heads in (
            ("longest_histories", ("events", "actor")),
            ("event_types", ("events", "event type")),
        ):
            if counts := document.get(name):
                self.stdout.write("")
                self.print_table(heads, [(f"{count:,}", each) for each, count in counts.items()])


def _shown(name: str, value: Any, estimated: bool) -> str:
    if name in ("first_event", "last_event"):
        return f"{value['timestamp']} at position {value['position']}" if value else "none"
    if isinstance(value, int):
        about = "about " if estimated and name in ("events", "actors") else ""
        return f"{about}{value:,}"
    return "unknown" if value is None else str(value) or "(none)"


def _place(event: Event | None) -> dict[str, Any] | None:
    if event is None:
        return None
    return {"position": event.position, "timestamp": format_timestamp(event.timestamp)}


def _longest(store: EventStore) -> dict[str, int]:
    """Return the actors with the most events; none where the store cannot sort by that."""
    if "event_count" not in store.backend.actor_orderings:
        return {}
    page = store.get_actors(order_by="-event_count", limit=_LONGEST)
    return {actor.actor_id: actor.event_count or 0 for actor in page}
