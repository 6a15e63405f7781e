"""Importing a file, and what must be equal behind it."""

from __future__ import annotations

from tests.support.commands import run


def import_file(store, file, **options):
    """Run the command; return how it ended."""
    return run("import_events", file, store=store.alias, **options)


def without_positions(events):
    """Return the events' documents, but for where the store put them."""
    return [{**event.to_dict(), "position": None} for event in events]
