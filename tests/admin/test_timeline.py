"""The events of an actor, filtered and in pages."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from django.http import QueryDict

from django_eventstore import Event, Snapshot
from tests.admin.conftest import MALFORMED, fill
from tests.support.memory import corrupted

pytestmark = pytest.mark.django_db


def positions(response) -> list[int]:
    """Return the versions that a timeline shows, in its order."""
    return [row.item.version for row in response.context["rows"] if row.kind == "event"]


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_the_timeline_pages_both_ways_and_misses_nothing(admin, store, pages, settings, order):
    settings.EVENT_STORE_ADMIN = {"page_size": 4}
    # With gaps between the versions, and as many events as fill pages exactly.
    store.save_events([Event("a", "T", version=number * 3) for number in range(1, 13)])
    seen: list[list[int]] = []
    address = f"{pages('actor', 'a')}?order={order}"
    while address:
        response = admin.get(address)
        seen.append(positions(response))
        last, address = response, response.context["page"].next_url
    expected = [number * 3 for number in range(1, 13)]
    if order == "newest":
        expected.reverse()
    assert [version for page in seen for version in page] == expected
    back = admin.get(last.context["page"].previous_url)
    assert positions(back) == seen[1]


def test_malformed_events_and_snapshots_stand_in_their_place(admin, store, pages):
    store.save_event(Event("a", "First"))
    broken = Event("a", "Broken")
    corrupted[broken.id] = MALFORMED
    store.save_event(broken)
    store.save_event(Event("a", "Last"))
    store.save_snapshot(Snapshot("a", 1, {}))
    rows = admin.get(pages("actor", "a")).context["rows"]
    corrupted.clear()
    assert [row.kind for row in rows] == ["event", "malformed", "snapshot", "event"]


@pytest.mark.parametrize(
    ("query", "versions"),
    [
        ("type=OrderPaid", [3]),
        ("from=2&to=3", [3, 2]),
        ("since=2026-03-01T10:05:00Z", [4, 3]),
        ("since=2026-03-01&since_time=10:05", [4, 3]),
        ("since=2026-03-01&until=2026-03-01&until_time=09:05:00", [2, 1]),
        ("since_time=09:00", []),
        ("until=2026-02-28", []),
        ("type=OrderPaid&type=LineAdded", [3, 2]),
        ("meta=causation_id", [4, 3]),
        ("meta=user_id%3Dmia", [4, 3, 2, 1]),
        ("path=card", [3]),
        ("path=quantity%3D2", [2]),
        ("path=quantity%3D3", []),
    ],
)
def test_the_timeline_is_filtered(admin, store, pages, query, versions):
    fill(store)
    assert positions(admin.get(f"{pages('actor', 'order-1')}?{query}")) == versions


def test_the_form_of_a_filter_keeps_what_the_address_asks_for(admin, store, pages, settings):
    """Also a time of day, several types, and a type that is not among the newest events'."""
    fill(store)
    query = "?type=OrderPlaced&type=OrderPaid&since=2026-03-01T09:00:07Z&until=2026-03-01"
    for newest in (1000, 2):
        settings.EVENT_STORE_ADMIN = {"chart_events": newest}
        form = fields(admin.get(pages("actor", "order-1") + query).content.decode())
        assert sorted(form.getlist("type")) == ["OrderPaid", "OrderPlaced"]
        again = admin.get(f"{pages('actor', 'order-1')}?{form.urlencode()}")
        assert positions(again) == [3]


class Fields(HTMLParser):
    """Collects what a browser would send of the form around the filters."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = QueryDict(mutable=True)
        self.inside = self.chosen = False
        self.name = ""

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "form":
            self.inside = given.get("class") == "es-side"
        elif self.inside and tag == "input" and "name" in given:
            self.sent.appendlist(given["name"], given.get("value", ""))
        elif tag == "select":
            self.name = given["name"] if "multiple" in given else ""
        elif self.inside and tag == "option":
            self.chosen = "selected" in given and bool(self.name)

    def handle_data(self, data):
        if self.chosen:
            self.sent.appendlist(self.name, data)
        self.chosen = False


def fields(page: str) -> QueryDict:
    parser = Fields()
    parser.feed(page)
    return parser.sent


def test_a_long_filter_stops_in_time_and_goes_on(admin, store, pages, settings):
    store.save_events([Event("a", "Common") for _ in range(15)] + [Event("a", "Rare")])
    store.save_events([Event("a", "Common") for _ in range(15)])
    settings.EVENT_STORE_ADMIN = {"time_limit": 1e-9}
    address = f"{pages('actor', 'a')}?type=Rare"
    visits = 0
    found = []
    while address:
        response = admin.get(address)
        found += positions(response)
        address = response.context["page"].next_url
        visits += 1
    assert found == [16]
    assert visits > 15
