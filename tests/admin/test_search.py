"""The search over a store."""

from __future__ import annotations

import pytest

from django_eventstore import Event, event_stores
from tests.admin.conftest import fill

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("lookup", [True, False])
@pytest.mark.parametrize(
    ("query", "types"),
    [
        ("type=OrderPaid", ["OrderPaid"]),
        (
            "user=mia&since=2026-03-01T10:10:00Z&until=2026-03-01T10:20:00Z",
            ["OrderPlaced", "OrderReopened"],
        ),
        ("user=nobody", []),
    ],
)
def test_search(admin, store, pages, monkeypatch, query, types, lookup):
    fill(store)
    monkeypatch.setattr(type(store.backend), "supports_lookup", lookup)
    rows = admin.get(f"{pages('search')}?{query}").context["rows"]
    assert [event.event_type for event, _ in rows] == types


@pytest.mark.parametrize("lookup", [True, False])
def test_search_by_id_and_correlation(admin, store, pages, monkeypatch, lookup):
    saved = fill(store)
    monkeypatch.setattr(type(store.backend), "supports_lookup", lookup)
    placed = saved["order-1 1"]
    rows = admin.get(f"{pages('search')}?id={placed.id}").context["rows"]
    assert [event.id for event, _ in rows] == [placed.id]
    rows = admin.get(f"{pages('search')}?correlation={placed.id}").context["rows"]
    assert len(rows) == 4


def test_a_search_says_how_far_it_looked_and_goes_on(admin, store, pages, settings, monkeypatch):
    store.save_events([Event("a", "Rare"), *(Event("a", "Common") for _ in range(30))])
    monkeypatch.setattr(type(store.backend), "supports_lookup", False)
    settings.EVENT_STORE_ADMIN = {"time_limit": 1e-9}
    address = pages("search") + "?type=Rare"
    visits = 0
    found = []
    while address:
        response = admin.get(address)
        assert response.context["looked"].looked_at <= 1
        found += [event.event_type for event, _ in response.context["rows"]]
        address = response.context["next_url"]
        visits += 1
    assert found == ["Rare"]
    assert visits > 30


def test_a_search_by_what_has_no_index_asks_a_database_in_parts(
    admin, pages, settings, monkeypatch
):
    """Each part takes a time that is bounded, however large the store."""
    settings.EVENT_STORES = {
        "default": {"BACKEND": "django_eventstore.backends.database.DatabaseEventStore"}
    }
    store = event_stores["default"]
    store.save_events([Event("a", "Rare"), *(Event("a", "Common") for _ in range(400))])
    monkeypatch.setattr("django_eventstore.admin.search.WINDOW", 20)
    monkeypatch.setattr("django_eventstore.admin.search.QUICK", 0)
    settings.EVENT_STORE_ADMIN = {"time_limit": 1e-9}
    address = pages("search") + "?type=Rare"
    visits = 0
    found = []
    while address:
        response = admin.get(address)
        found += [event.event_type for event, _ in response.context["rows"]]
        address = response.context["next_url"]
        visits += 1
        if address:
            assert "back to" in response.content.decode()
    assert found == ["Rare"]
    assert visits >= 20
