"""Comparing a projection with its store."""

from __future__ import annotations

from django.db.models import Sum

from django_eventstore import event_stores
from tests.support.projections.models import Total


def agree(alias, store=None):
    """Assert that the totals in the database ``alias`` are those of the store."""
    events = list((store or event_stores[alias]).read_all())
    totals = Total.objects.using(alias)
    found = totals.aggregate(count=Sum("count"), amount=Sum("amount"))
    wanted = {
        "count": len(events) or None,
        "amount": sum(event.data["n"] for event in events) if events else None,
    }
    assert found == wanted, f"{found} for {wanted}"
    versions = {event.actor_id: event.version for event in events}
    differing = set(totals.values_list("actor_id", "version")) ^ set(versions.items())
    assert not differing, differing


def contents(store):
    """Return each actor's events as they are stored, without their positions."""
    found = {}
    for event in store.read_all():
        found.setdefault(event.actor_id, []).append({**event.to_dict(), "position": None})
    return found
