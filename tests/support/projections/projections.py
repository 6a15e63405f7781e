"""The projections of the tests."""

from __future__ import annotations

from django_eventstore.projections import Projection, register
from tests.support.projections.models import Entry, Tag, Total


class OutOfOrder(AssertionError):
    """An event was applied twice, or before an earlier one of its actor."""


def count(event, alias):
    """Count and sum, and refuse what is not the next event of its actor."""
    total, _ = Total.objects.using(alias).get_or_create(actor_id=event.actor_id)
    if event.version <= total.version:
        raise OutOfOrder(f"{event.actor_id}: {event.version} after {total.version}")
    total.count += 1
    total.amount += event.data["n"]
    total.version = event.version
    total.save(using=alias)


def make_counting(alias, **attributes):
    """Return a projection over the store ``alias`` and its database."""

    class Counting(Projection):
        name = f"counting-{alias}"
        models = (Total,)
        store = alias
        database = alias
        shards = 1024

        def apply(self, event):
            count(event, alias)

    for key, value in attributes.items():
        setattr(Counting, key, value)
    return Counting


for alias in ("default", "postgres", "mariadb"):
    register(make_counting(alias))


def make_journal(alias, **attributes):
    """Return a projection with several tables, which refer to each other."""

    class Journal(Projection):
        name = f"journal-{alias}"
        models = (Entry, Tag)
        store = alias
        database = alias
        shards = 8
        # What the tests change, as a new release of the application would.
        note = ""

        def apply(self, event):
            entry = Entry.objects.using(alias).create(
                position=event.position,
                actor_id=event.actor_id,
                version=event.version,
                note=self.note,
            )
            Tag.objects.using(alias).create(entry=entry, text=event.event_type)

    for key, value in attributes.items():
        setattr(Journal, key, value)
    return Journal


for alias in ("default", "postgres", "mariadb"):
    register(make_journal(alias))
