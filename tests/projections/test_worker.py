"""A projection applies each event exactly once, in the order of its actor."""

from __future__ import annotations

import pytest
from django.db.models import Sum

from django_eventstore import Event, event_stores
from django_eventstore.projections import ProjectionWorker, get_projection

from .models import Total

pytestmark = pytest.mark.django_db(transaction=True)


def save(store, count, actors=7, **fields):
    return [
        store.save_event(Event(f"actor-{n % actors}", "Counted", {"n": n}, **fields))
        for n in range(count)
    ]


def run(projection, **options):
    return ProjectionWorker(projection, once=True, **options).run()


def agree(alias, store=None):
    """Assert that the totals are those of the store."""
    events = list((store or event_stores[alias]).read_all())
    totals = Total.objects.using(alias)
    found = totals.aggregate(count=Sum("count"), amount=Sum("amount"))
    assert found == {
        "count": len(events) or None,
        "amount": sum(event.data["n"] for event in events) if events else None,
    }
    versions = {event.actor_id: event.version for event in events}
    assert dict(totals.values_list("actor_id", "version")) == versions


@pytest.mark.parametrize(
    "alias",
    [
        pytest.param(alias, marks=pytest.mark.django_db(databases=[alias], transaction=True))
        for alias in ("default", "postgres", "mariadb")
    ],
)
def test_events_are_counted_once_however_often_it_runs(alias):
    store = event_stores[alias]
    projection = get_projection(f"counting-{alias}")
    save(store, 20)
    assert run(projection) == 20
    assert run(projection) == 0
    save(store, 3)
    assert run(projection) == 3
    agree(alias)


def test_an_empty_store_is_done_at_once():
    assert run(get_projection("counting-default")) == 0
