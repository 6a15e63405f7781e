"""The projections of the tests."""

from __future__ import annotations

from django_eventstore.projections import Projection, register

from .models import Total


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
