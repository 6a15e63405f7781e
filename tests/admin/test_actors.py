"""The list of actors."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_eventstore import Event

pytestmark = pytest.mark.django_db


def test_actors_are_paged_sorted_and_searched(admin, store, pages, settings):
    settings.EVENT_STORE_ADMIN = {"page_size": 3}
    for number in range(7):
        store.save_events([Event(f"actor-{number}", "T") for _ in range(number + 1)])
    seen = []
    address = pages("actors") + "?o=-event_count"
    while address:
        response = admin.get(address)
        seen += [row.actor.actor_id for row in response.context["rows"]]
        address = response.context["next_url"]
    assert seen == [f"actor-{number}" for number in reversed(range(7))]
    found = admin.get(pages("actors") + "?q=or-5").context["rows"]
    assert [row.actor.actor_id for row in found] == ["actor-5"]


def test_actors_are_filtered_by_when_they_were_seen(admin, store, pages):
    from django.utils import timezone

    now = timezone.now()
    store.save_event(Event("old", "T", timestamp=now - timedelta(days=100)))
    store.save_event(Event("recent", "T", timestamp=now - timedelta(hours=1)))

    def seen(name: str) -> list[str]:
        rows = admin.get(f"{pages('actors')}?seen={name}").context["rows"]
        return [row.actor.actor_id for row in rows]

    assert seen("week") == ["recent"]
    assert seen("not-month") == ["old"]
    assert seen("year") == ["recent", "old"]


def test_the_actors_with_malformed_events(admin, store, malformed, pages):
    rows = admin.get(pages("actors") + "?malformed=1").context["rows"]
    assert [(row.actor.actor_id, row.malformed) for row in rows] == [("order-1", 1)]
    assert rows[0].actor == store.get_actor_summaries(["order-1"])["order-1"]
