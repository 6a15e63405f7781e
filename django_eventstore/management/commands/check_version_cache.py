"""Compare the cached versions of actors with the truth."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...exceptions import UnsupportedOperation
from ..base import EventStoreCommand


class Command(EventStoreCommand):
    help = """\
Compare every entry of a store's version cache with the store, and list the stale ones:
what is cached, what is true, and the process that wrote the entry. With --fix, drop
them. A stale entry costs its next writer one more question to the server; it never makes
a wrong append."""
    examples = """\
  manage.py check_version_cache --store stream
  manage.py check_version_cache --store stream --actor order-17 --fix

exit status: 0 no entry is stale; 1 some are (also with --fix), or the store cannot be
read; 2 wrong arguments"""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--actor", metavar="ID", help="check this actor's entry alone")
        parser.add_argument("--fix", action="store_true", help="drop the stale entries")

    def run(self, options: dict[str, Any]) -> None:
        store = self.store(options)
        cache = store.backend.version_cache(store.namespace)
        if cache is None:
            raise UnsupportedOperation(f"{store!r} has no version cache: it needs none.")
        checked = 0
        stale = []
        for entry in store.backend.check_cached_versions(store.namespace, options["actor"]):
            self.interrupt.check()
            checked += 1
            if not entry.stale:
                continue
            stale.append(entry)
            if options["fix"]:
                cache.delete(entry.actor_id)
        document = {
            "store": store.alias,
            "namespace": store.namespace,
            "shared": cache.shared,
            "checked": checked,
            "stale": [entry._asdict() for entry in stale],
            "fixed": options["fix"],
        }
        if options["format"] == "json":
            self.print_json(document)
        else:
            self._print(document)
        if stale:
            what = "1 entry is stale" if len(stale) == 1 else f"{len(stale):,} entries are stale"
            raise CommandError(f"{what}{', and dropped now' if options['fix'] else ''}.")

    def _print(self, document: dict[str, Any]) -> None:
        if not document["shared"]:
            self.stdout.write(
                "This store's version cache is local to each process, so this command cannot see "
                "the entries of any other process, only its own. Name a Django cache in "
                'OPTIONS["version_cache"] to share one.'
            )
        self.stdout.write(f"checked: {document['checked']:,}  stale: {len(document['stale']):,}")
        names = ("cached", "actual", "cached_appends", "actual_appends", "writer", "actor_id")
        rows = [[row[name] for name in names] for row in document["stale"]]
        if rows:
            heads = [name.replace("_", " ") for name in names]
            self.print_table(heads, rows)
