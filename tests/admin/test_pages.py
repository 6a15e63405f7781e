"""What the pages show, read with the test client."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.http import QueryDict
from django.urls import reverse

from django_eventstore import Event, Snapshot, event_stores
from django_eventstore.admin import folding, limits
from django_eventstore.admin.blame import blame_to
from django_eventstore.folds import register_fold, unregister_fold
from django_eventstore.models import Consumer, SkippedEvent
from django_eventstore.workers.consumers import open_consumer
from tests.admin.conftest import HOSTILE, MALFORMED, START, client, fill
from tests.support.memory import corrupted

pytestmark = pytest.mark.django_db


@pytest.fixture
def text(admin):
    """Return the text of a page."""

    def text(address: str) -> str:
        response = admin.get(address, follow=True)
        assert response.status_code == 200, address
        return response.content.decode()

    return text


@pytest.fixture
def malformed(store):
    """The position of a malformed event of order-1."""
    fill(store)
    event = Event("order-1", "Broken")
    corrupted[event.id] = MALFORMED
    yield store.save_event(event).position
    corrupted.clear()


def positions(response) -> list[int]:
    """Return the versions that a timeline shows, in its order."""
    return [row.item.version for row in response.context["rows"] if row.kind == "event"]


# -- stores and actors


def test_a_store_that_does_not_answer_spoils_no_page(text, pages, settings):
    settings.EVENT_STORES = {
        "default": {"BACKEND": "django_eventstore.backends.memory.InMemoryEventStore"},
        "down": {
            "BACKEND": "django_eventstore.backends.jetstream.JetStreamEventStore",
            "OPTIONS": {"servers": ["nats://someone:secret@127.0.0.1:1"], "timeout": 0.3},
        },
    }
    page = text(pages("stores"))
    assert "Answers" in page
    assert "Does not answer" in page
    assert "secret" not in page


def test_a_store_that_does_not_answer_says_so_on_its_pages(admin, pages, settings):
    settings.EVENT_STORES = {
        "default": {
            "BACKEND": "django_eventstore.backends.jetstream.JetStreamEventStore",
            "OPTIONS": {"servers": ["nats://someone:secret@127.0.0.1:1"], "timeout": 0.3},
        },
    }
    response = admin.get(pages("actors"))
    assert response.status_code == 503
    assert "Store unavailable" in response.content.decode()
    assert "secret" not in response.content.decode()


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


def test_a_store_with_wrong_settings_spoils_no_page_of_another(admin, store, pages, settings):
    settings.EVENT_STORES = {
        **settings.EVENT_STORES,
        "wrong": {
            "BACKEND": "django_eventstore.backends.database.DatabaseEventStore",
            "OPTIONS": 5,
        },
    }
    assert "wrong" in admin.get(pages("stores")).content.decode()
    labels = [entry["label"] for entry in admin.get(pages("jump")).json()["suggestions"]]
    assert "default" in labels
    assert "wrong" not in labels
    pages.alias = "wrong"
    refused = admin.get(pages("actors"))
    assert (refused.status_code, "must be a dict" in refused.content.decode()) == (503, True)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_times_at_the_ends_of_the_calendar_spoil_no_page(text, store, pages, settings, zone):
    """Programs like them for "always" and "never"; in another zone they do not exist."""
    settings.TIME_ZONE = zone
    ends = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    saved = store.save_events([Event("a", "T", {"n": at.year}, timestamp=at) for at in ends])
    for address in [
        pages("stores"),
        pages("store"),
        pages("actors"),
        pages("actor", "a"),
        pages("state", "a"),
        pages("state", "a") + "?version=1",
        pages("blame", "a"),
        pages("field", "a") + "?path=n",
        *(pages("event", event.position) for event in saved),
        pages("compare") + "?actor=a&actor=b",
        pages("search") + "?type=T",
    ]:
        text(address)
    assert "0001-01-01" in text(pages("actor", "a"))
    assert "9999-12-31" in text(pages("actor", "a"))


def test_a_store_that_was_not_migrated_spoils_no_page(admin, pages, settings):
    settings.EVENT_STORES = {
        "default": {"BACKEND": "django_eventstore.backends.database.DatabaseEventStore"}
    }
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_eventstore_eventrecord RENAME TO elsewhere")
    listed = admin.get(pages("stores"))
    assert "Does not answer" in listed.content.decode()
    assert "no such table" in admin.get(pages("store")).content.decode()
    refused = admin.get(pages("malformed"))
    assert (refused.status_code, "no such table" in refused.content.decode()) == (503, True)


def test_an_export_holds_all_events_and_names_the_malformed(admin, malformed, pages):
    response = admin.get(pages("export") + "?actor=order-1&actor=order-2")
    lines = [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]
    assert [(line.get("actor_id"), line.get("version")) for line in lines if "id" in line] == [
        ("order-1", 1),
        ("order-1", 2),
        ("order-1", 3),
        ("order-1", 4),
        ("order-2", 1),
    ]
    [broken] = [line["malformed"] for line in lines if "malformed" in line]
    assert broken["position"] == malformed


# -- an actor


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


def test_a_long_filter_stops_in_time_and_goes_on(admin, store, pages, monkeypatch):
    store.save_events([Event("a", "Common") for _ in range(15)] + [Event("a", "Rare")])
    store.save_events([Event("a", "Common") for _ in range(15)])
    monkeypatch.setattr(limits.Deadline, "passed", property(lambda self: True))
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


# -- state and blame


def test_the_state_is_the_fold_at_each_version(admin, store, pages, order_fold):
    fill(store)
    for version in range(5):
        response = admin.get(f"{pages('state', 'order-1')}?version={version}")
        replayed = store.replay("order-1", order_fold, {}, to_version=version, use_snapshot=False)
        assert response.context["shown"].state == replayed.state
        assert response.context["shown"].folded.version == version


def test_the_changes_and_the_comparison_of_versions(admin, store, pages):
    fill(store)

    def changes(query: str) -> set[tuple[str, str]]:
        response = admin.get(f"{pages('state', 'order-1')}?{query}")
        return {(change.where, change.kind) for change in response.context["changes"]}

    assert changes("version=4") == {("status", "changed")}
    assert changes("version=3&against=1") == {
        ("status", "changed"),
        ("lines", "removed"),
        ("lines[0].sku", "added"),
        ("lines[0].quantity", "added"),
        ("card.number", "added"),
        ("card.name", "added"),
    }
    assert changes("version=2&against=2") == set()


def test_a_snapshot_that_disagrees_with_the_full_replay_is_told(text, store, pages):
    fill(store)
    assert "agrees with the full replay" in text(pages("state", "order-1"))
    wrong = {"status": "lost", "customer": "Mia", "lines": []}
    store.save_snapshot(Snapshot("order-1", 2, wrong, schema_version=2))
    page = text(pages("state", "order-1") + "?version=2")
    assert "differs from the full replay" in page
    assert "&quot;lost&quot;" in page
    store.save_snapshot(Snapshot("order-2", 1, {}, schema_version=1))
    assert "not usable" in text(pages("state", "order-2"))


@pytest.mark.parametrize(
    ("folded", "held"), [(True, 1), (100, 100.0), (0.0, -0.0), ([{"n": False}], [{"n": 0}])]
)
def test_a_snapshot_that_holds_other_json_of_equal_value_disagrees(
    admin, store, pages, folded, held
):
    assert folded == held
    store.save_event(Event("sum-1", "Counted"))
    store.save_snapshot(Snapshot("sum-1", 1, {"a": folded, "b": held}))
    register_fold("sum-", lambda state, event: {"b": folded, "a": folded}, initial={})
    try:
        response = admin.get(pages("state", "sum-1"))
    finally:
        unregister_fold("sum-")
    page = response.content.decode()
    assert "differs from the full replay" in page
    assert "agrees with the full replay" not in page
    [difference] = response.context["check"].differences
    assert difference.where.startswith("b")


def test_a_snapshot_without_a_registered_fold_is_not_usable_and_says_why(text, store, pages):
    store.save_event(Event("a", "T", {"n": 1}))
    store.save_snapshot(Snapshot("a", 1, {"n": 1}))
    page = text(pages("state", "a"))
    assert "not usable" in page
    assert "no fold is registered for it" in page


def test_a_fold_that_fails_is_told_with_the_state_before(admin, store, pages):
    store.save_event(Event("order-9", "OrderPlaced", {"customer": "Ada"}))
    store.save_event(Event("order-9", "OrderPaid", {}))
    store.save_event(Event("order-9", "OrderReopened", {}))
    response = admin.get(pages("state", "order-9"))
    assert "The fold failed on version 2" in response.content.decode()
    assert response.context["shown"].state["status"] == "placed"
    assert "The fold failed" in admin.get(pages("blame", "order-9")).content.decode()


def test_a_fold_that_takes_long_goes_on_where_it_stopped(admin, store, pages, monkeypatch):
    store.save_events([Event("long", "T", {"n": number}) for number in range(300)])
    patience = iter(range(10_000))
    monkeypatch.setattr(
        limits.Deadline, "passed", property(lambda self: next(patience) % 100 == 99)
    )
    reached = []
    for _ in range(5):
        folded = admin.get(pages("state", "long")).context["shown"].folded
        reached.append(folded.version)
        if folded.complete:
            break
    assert reached == sorted(set(reached))
    assert reached[-1] == 300
    blamed = []
    for _ in range(5):
        blame = admin.get(pages("blame", "long")).context["blame"]
        blamed.append(blame.version)
        if blame.complete:
            break
    assert blamed == sorted(set(blamed))
    assert blamed[-1] == 300


def test_the_blame_of_a_long_history_goes_on_from_what_was_found(store):
    fold = folding.fold_of("long")
    store.save_events([Event("long", "T", {"n": number, "a": 1}) for number in range(1500)])
    deadline = limits.Deadline(60)
    first = blame_to(store, "long", fold, 1500, deadline)
    store.save_event(Event("long", "T", {"n": 7}))
    reads = []
    read = store.iter_events_with_errors
    store.iter_events_with_errors = lambda *given, **bounds: (
        reads.append(given) or read(*given, **bounds)
    )
    second = blame_to(store, "long", fold, 1501, deadline)
    assert reads == [("long", 1501)]
    assert second.values == {("n",): 7, ("a",): 1}
    assert (second.last["n",].version, second.first[("n",), "7"].version) == (1501, 8)
    # What is shown on the page before did not change under it, and an earlier version is found.
    assert first.values == {("n",): 1499, ("a",): 1}
    assert blame_to(store, "long", fold, 1200, deadline).last["n",].version == 1200
    # Another history under the same name is read from its start.
    other = event_stores.create_connection("default").with_namespace("")
    other.backend._memory = type(other.backend._memory)()
    other.save_events([Event("long", "T", {"m": number}) for number in range(1300)])
    assert blame_to(other, "long", fold, 1300, deadline).values == {("m",): 1299}


def test_what_is_remembered_of_long_histories_has_a_bound_in_bytes(store, monkeypatch):
    monkeypatch.setattr(folding, "BYTES_KEPT", 3_000_000)
    fold = folding.fold_of("large")
    store.save_events([Event("large", "T", {"text": "x" * 900_000, "n": 0})])
    store.save_events([Event("large", "T", {"n": number}) for number in range(1, 6000)])
    deadline = limits.Deadline(60)
    assert folding.fold_to(store, "large", fold, 6000, deadline).state["n"] == 5999
    remembered = folding._remembered.by_place
    assert 1 <= len(remembered) <= 3
    # The newest are kept: what is looked at next is mostly near by.
    assert max(place[-1] for place in remembered) == 5000


def test_a_remembered_state_is_not_used_for_another_history(store):
    fold = folding.fold_of("long")
    deadline = limits.Deadline(60)
    store.save_events([Event("long", "T", {"n": number}) for number in range(2500)])
    assert folding.fold_to(store, "long", fold, 2400, deadline).state == {"n": 2399}
    assert folding.fold_to(store, "long", fold, 2001, deadline).state == {"n": 2000}
    other = event_stores.create_connection("default").with_namespace("")
    other.backend._memory = type(other.backend._memory)()
    other.save_events([Event("long", "T", {"m": number}) for number in range(2500)])
    assert folding.fold_to(other, "long", fold, 2400, deadline).state == {"m": 2399}


def test_as_of_a_time(admin, store, pages):
    store.save_events(
        [
            Event("a", "T", version=number * 7, timestamp=START + timedelta(hours=number))
            for number in range(1, 40)
        ]
    )

    def version(moment: str) -> int:
        return admin.get(pages("state", "a") + f"?at={moment}", follow=True).context["version"]

    assert version("2026-03-01T19:00:00Z") == 70
    assert version("2026-03-01T19:59:59Z") == 70
    assert version("2026-02-01") == 0
    assert version("2027-01-01") == 39 * 7


def test_blame_names_the_last_and_the_first(admin, store, pages):
    fill(store)
    rows = {row.where: row for row in admin.get(pages("blame", "order-1")).context["rows"]}
    assert (rows["status"].last.version, rows["status"].first.version) == (4, 1)
    assert rows["lines[0].sku"].last.version == 2
    assert rows["status"].last.user_id == "mia"
    changes = admin.get(pages("field", "order-1") + "?path=status").context["changes"]
    assert [(change.event.version, change.after) for change in changes] == [
        (4, "placed"),
        (3, "paid"),
        (1, "placed"),
    ]


def test_blame_shows_no_half_change_of_a_fold_that_fails(admin, store, pages):
    def apply(state: dict, event: Event) -> dict:
        state["n"] = event.data["n"]
        return {**state, "halves": state["n"] // event.data["by"]}

    register_fold("half-", apply, initial={})
    try:
        store.save_event(Event("half-1", "T", {"n": 4, "by": 2}))
        store.save_event(Event("half-1", "T", {"n": 9, "by": 0}))
        context = admin.get(pages("blame", "half-1")).context
    finally:
        unregister_fold("half-")
    assert isinstance(context["blame"].failure, ZeroDivisionError)
    assert {row.where: row.value for row in context["rows"]} == {"n": 4, "halves": 2}


def test_all_changes_of_a_field_are_found_however_little_time_a_page_has(
    admin, store, pages, settings
):
    settings.EVENT_STORE_ADMIN = {"time_limit": 1e-9}
    store.save_events([Event("a", "T", {"n": number // 2}) for number in range(10)])
    address = pages("field", "a") + "?path=n"
    found = []
    for _ in range(40):
        context = admin.get(address).context
        found += [(change.event.version, change.after) for change in reversed(context["changes"])]
        if context["next_url"] is None:
            break
        address = context["next_url"]
    assert found == [(1, 0), (3, 1), (5, 2), (7, 3), (9, 4)]


def test_more_changes_of_a_field_than_a_page_shows_are_on_further_pages(admin, store, pages):
    store.save_events([Event("a", "T", {"n": number}) for number in range(450)])
    address = pages("field", "a") + "?path=n"
    found = []
    while address:
        context = admin.get(address).context
        found += [change.after for change in context["changes"]]
        address = context["older_url"]
    assert found == list(reversed(range(450)))


class Node:
    """A state that no JSON is made of: it holds itself, and what cannot be copied."""

    __slots__ = ("around", "inside", "lock", "version")

    def __init__(self, version: int, around: Node | None = None):
        self.version = version
        self.around = around
        self.inside = [] if around else [Node(version, self) for _ in range(3)]
        self.lock = threading.Lock()


def test_a_state_of_any_objects_is_shown(admin, store, pages):
    store.save_events([Event("node-1", "T") for _ in range(3)])
    store.save_snapshot(Snapshot("node-1", 1, {}))
    register_fold("node-", lambda state, event: Node(event.version or 0), initial=None)
    try:
        context = admin.get(pages("state", "node-1")).context
        rows = admin.get(pages("blame", "node-1")).context["rows"]
    finally:
        unregister_fold("node-")
    child = {"around": "…", "inside": [], "lock": "<unlocked _thread.lock object>", "version": 3}
    assert context["shown"].state == {**child, "around": None, "inside": [child] * 3}
    assert {change.where for change in context["changes"]} == {
        "version",
        "inside[0].version",
        "inside[1].version",
        "inside[2].version",
    }
    assert context["check"].agrees
    assert {row.where: row.last.version for row in rows}["version"] == 3


def test_a_large_state_is_shown_in_part_and_whole_as_a_file(admin, store, pages):
    numbers = list(range(50_000))
    store.save_events([Event("wide", "T", {"n": numbers}), Event("wide", "T", {"n": numbers[1:]})])
    store.save_event(Event("long", "T", {"text": "x" * 900_000}))
    address = pages("state", "wide")
    assert len(admin.get(address).content) < 400_000
    assert len(admin.get(pages("state", "long")).content) < 50_000
    assert "49,000 more differences are not shown" in admin.get(address).content.decode()
    assert json.loads(admin.get(address + "?download=1").content) == {"n": numbers[1:]}
    assert json.loads(admin.get(address + "?version=1&download=1").content) == {"n": numbers}


def test_a_comparison_with_a_version_that_takes_long_says_so(admin, store, pages, monkeypatch):
    store.save_events([Event("long", "T", {"n": number}) for number in range(300)])
    patience = iter(range(10_000))
    # The state of version 50 is made in time, that of the last version is not.
    monkeypatch.setattr(limits.Deadline, "passed", property(lambda self: next(patience) > 100))
    page = admin.get(pages("state", "long") + "?version=50&against=300").content.decode()
    assert "For version 300, the time for one page ran out at version" in page
    assert "Not compared." in page


def test_values_that_are_equal_in_python_are_different_json(admin, store, pages):
    store.save_events([Event("a", "T", {"n": value}) for value in (1, True, 1.0)])
    changes = admin.get(pages("field", "a") + "?path=n").context["changes"]
    assert [json.dumps(change.after) for change in changes] == ["1.0", "true", "1"]


# -- an event


def test_an_event_its_neighbours_and_its_relations(admin, store, pages):
    saved = fill(store)
    context = admin.get(pages("event", saved["order-1 3"].position)).context
    assert (context["previous"].version, context["next"].version) == (2, 4)
    assert context["related"].cause.event_type == "OrderPlaced"
    assert [effect.event_type for effect in context["related"].effects] == [
        "PaymentBooked",
        "OrderReopened",
    ]
    steps = [(step.kind, step.event and step.event.event_type) for step in context["related"].steps]
    assert steps == [
        ("item", "OrderPlaced"),
        ("then", "OrderPaid"),
        ("open", None),
        ("item", "PaymentBooked"),
        ("end", None),
        ("item", "OrderReopened"),
        ("end", None),
        ("close", None),
        ("end", None),
    ]


def test_an_effect_without_a_correlation_is_found(admin, pages, settings):
    settings.EVENT_STORES = {
        "default": {"BACKEND": "django_eventstore.backends.database.DatabaseEventStore"}
    }
    store = event_stores["default"]
    cause = store.save_event(Event("a", "Cause", metadata={"correlation_id": "one"}))
    store.save_event(Event("b", "Bare", metadata={"causation_id": cause.id}))
    store.save_event(Event("b", "Usual").caused_by(cause))
    related = admin.get(pages("event", cause.position)).context["related"]
    assert sorted(effect.event_type for effect in related.effects) == ["Bare", "Usual"]
    assert related.count == 3


def test_a_store_without_look_up_says_that_there_is_more_of_a_correlation(
    admin, store, pages, monkeypatch
):
    monkeypatch.setattr(type(store.backend), "supports_lookup", False)
    events = [Event("a", "T", {"n": n}, metadata={"correlation_id": "one"}) for n in range(150)]
    saved = store.save_events(events)
    related = admin.get(pages("event", saved[50].position)).context["related"]
    assert (related.count, related.more) == (150, False)
    related = admin.get(pages("event", saved[-1].position)).context["related"]
    assert (related.count, related.more) == (101, True)


def test_events_that_cause_each_other_are_each_shown_once(admin, store, pages):
    ids = ["one", "two", "three"]
    events = [
        Event("a", "T", id=ids[place], metadata={"causation_id": ids[place - 1]})
        for place in range(3)
    ]
    saved = store.save_events([event.with_metadata(correlation_id="circle") for event in events])
    steps = admin.get(pages("event", saved[0].position)).context["related"].steps
    assert sorted(step.event.id for step in steps if step.event) == sorted(ids)


def test_an_event_as_a_test_is_python_that_runs(admin, store, pages):
    saved = fill(store)
    code = admin.get(pages("event", saved["order-1 4"].position)).context["test"]
    names: dict = {}
    exec(compile(code, "copied", "exec"), names)
    names["decide"] = lambda state: [Event("order-1", "OrderReopened", {})]
    names["test_order_reopened"]()
    names["decide"] = lambda state: []
    with pytest.raises(AssertionError):
        names["test_order_reopened"]()


@pytest.fixture
def copied_test(admin, pages):
    """Return a function that runs the test copied from an event's page, and returns the state
    that the test comes to before its command.
    """

    def run(event: Event):
        code = admin.get(pages("event", event.position)).context["test"]
        assert max(map(len, code.splitlines())) <= 100
        names: dict = {}
        states = []
        exec(compile(code, "copied", "exec"), names)

        def decide(state):
            states.append(state)
            return [event]

        names["decide"] = decide
        [test] = [value for name, value in names.items() if name.startswith("test_")]
        test()
        return states[0]

    return run


def test_the_test_of_a_long_history_starts_at_the_right_state(store, copied_test):
    lines = [
        Event("order-3", "LineAdded", {"sku": f"A-{number}", "note": "so long a text " * 4})
        for number in range(40)
    ]
    *_, last = store.save_events([Event("order-3", "OrderPlaced", {"customer": "Ada"}), *lines])
    state = copied_test(last)
    assert [line["sku"] for line in state["lines"]] == [f"A-{number}" for number in range(39)]
    assert state["customer"] == "Ada"


def test_the_copied_test_starts_at_the_state_also_where_it_is_masked(store, copied_test, settings):
    settings.EVENT_STORE_ADMIN = {"redact": {"OrderPlaced": ["customer"]}}
    lines = [Event("order-3", "LineAdded", {"sku": f"A-{number}"}) for number in range(40)]
    *_, last = store.save_events([Event("order-3", "OrderPlaced", {"customer": "Ada"}), *lines])
    state = copied_test(last)
    assert [line["sku"] for line in state["lines"]] == [f"A-{number}" for number in range(39)]
    assert state["customer"] == "•••"


def by_metadata(state: list, event: Event) -> list:
    """Fold by what is not in the data, to a state that no literal can hold."""
    return [*state, (event.user_id, event.timestamp)]


def test_a_fold_of_metadata_gets_them_in_the_copied_test(store, copied_test):
    register_fold("visit-", by_metadata, initial=[])
    events = [
        Event("visit-1", "Seen", metadata={"user_id": f"user-{number}"}, timestamp=START)
        for number in range(20)
    ]
    *_, last = store.save_events(events)
    try:
        assert copied_test(last) == [(f"user-{number}", START) for number in range(19)]
    finally:
        unregister_fold("visit-")


@dataclass
class Basket:
    """A state that no literal can hold."""

    lines: list = field(default_factory=list)


def test_the_copied_test_of_a_fold_that_code_cannot_spell_asks_for_it(store, copied_test):
    def put(state: Basket, event: Event) -> Basket:
        return Basket([*state.lines, event.data["n"]])

    register_fold("basket-", put, initial=Basket())
    try:
        *_, last = store.save_events([Event("basket-1", "Put", {"n": n}) for n in range(4)])
        assert copied_test(last) == Basket([0, 1, 2])
    finally:
        unregister_fold("basket-")


def test_names_without_anything_to_be_seen_are_shown_as_signs(text, store, pages):
    event = store.save_event(Event("\u200b", " ", {}, metadata={"user_id": "\u3000"}))
    store.save_event(Event("b", "T"))
    for address in [
        pages("actors"),
        pages("actor", "\u200b"),
        pages("event", event.position),
        pages("search") + "?since=2000-01-01",
        pages("compare") + "?actor=%E2%80%8B&actor=b",
    ]:
        assert "⟨200B⟩" in text(address), address
    assert "<bdi>⟨20⟩</bdi>" in text(pages("actor", "\u200b"))
    assert "<bdi>⟨3000⟩</bdi></a>" in text(pages("event", event.position))


def test_a_trace_is_linked_by_the_configured_address(text, store, pages, settings):
    saved = fill(store)
    settings.EVENT_STORE_ADMIN = {"trace_url": "https://traces.example/{trace_id}"}
    page = text(pages("event", saved["order-1 1"].position))
    assert "https://traces.example/4bf92f3577b34da6a3ce929d0e0e4736" in page
    event = Event("x", "T", metadata={"trace_id": '"><script>/../'})
    strange = text(pages("event", store.save_event(event).position))
    assert "traces.example" not in strange


def test_a_large_event_is_shown_in_part_and_whole_as_a_file(admin, store, pages):
    saved = fill(store)
    position = saved["large-1 1"].position
    assert len(admin.get(pages("event", position)).content) < 50_000
    assert "x" * 900_000 in admin.get(pages("event_raw", position)).content.decode()


def test_deep_and_wide_data_is_shown(text, store, pages):
    deep: object = 1
    for _ in range(190):
        deep = [deep]
    event = store.save_event(Event("a", "T", {"deep": deep, "wide": list(range(5000))}))
    page = text(pages("event", event.position))
    assert "more values" in page
    assert text(pages("state", "a"))


# -- finding


def test_actors_side_by_side(admin, store, pages):
    fill(store)
    context = admin.get(pages("compare") + "?actor=order-1&actor=payment-1&actor=nobody").context
    assert context["unknown"] == ["nobody"]
    shown = [
        [cell.event_type if cell else None for cell in row.cells[:2]] for row in context["rows"]
    ]
    assert shown == [
        ["OrderReopened", None],
        [None, "PaymentBooked"],
        ["OrderPaid", None],
        ["LineAdded", None],
        ["OrderPlaced", None],
    ]


def test_a_comparison_goes_on_to_the_first_events(admin, store, pages):
    """Also where very many have one timestamp, or versions are not in the order of time."""
    together = [Event("a", f"A{number}", timestamp=START) for number in range(100)]
    apart = [
        Event("b", f"B{number}", timestamp=START + timedelta(minutes=(number * 7) % 90 - 45))
        for number in range(90)
    ]
    store.save_events([*together, *apart, Event("c", "C", timestamp=START)])
    found = []
    address = pages("compare") + "?actor=a&actor=b&actor=c"
    for _ in range(12):
        context = admin.get(address).context
        assert context["unknown"] == []
        found += [row.event.id for row in context["rows"]]
        address = context["older_url"]
        if address is None:
            break
    assert len(found) == len(set(found)) == 191
    assert admin.get(pages("compare") + "?actor=a&actor=b&upto=3").status_code == 404


def test_a_comparison_tells_of_malformed_events(admin, malformed, pages):
    page = admin.get(pages("compare") + "?actor=order-1&actor=order-2").content.decode()
    assert "1 malformed event of <bdi>order-1</bdi> is not among these." in page


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


def test_a_search_says_how_far_it_looked_and_goes_on(admin, store, pages, monkeypatch):
    store.save_events([Event("a", "Rare"), *(Event("a", "Common") for _ in range(30))])
    monkeypatch.setattr(type(store.backend), "supports_lookup", False)
    monkeypatch.setattr(limits.Deadline, "passed", property(lambda self: True))
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
    monkeypatch.setattr(limits.Deadline, "passed", property(lambda self: True))
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


def test_the_quick_open_suggests_actors_events_and_pages(admin, store, pages):
    fill(store)

    def suggested(typed: str) -> list[tuple[str, str]]:
        answer = admin.get(pages("jump"), {"q": typed}).json()["suggestions"]
        return [(entry["kind"], entry["label"]) for entry in answer]

    assert suggested("order-")[:2] == [("Actor", "order-1"), ("Actor", "order-2")]
    assert ("Page", "Search") in suggested("sea")
    assert ("Event at position", "3") in suggested("3")
    assert suggested("\x00")  # no actor can be called that
    for entry in admin.get(pages("jump"), {"q": HOSTILE}).json()["suggestions"]:
        assert admin.get(entry["url"]).status_code in {200, 302}


# -- malformed events


def test_malformed_events_are_grouped_by_cause(admin, store, pages):
    for number in range(3):
        event = Event("a", f"T{number}")
        corrupted[event.id] = MALFORMED
        store.save_event(event)
    [group] = admin.get(pages("malformed")).context["groups"]
    assert (len(group.errors), group.open) == (3, 3)
    corrupted.clear()


def test_malformed_events_are_all_found_however_little_time_a_page_has(
    admin, store, pages, settings
):
    settings.EVENT_STORE_ADMIN = {"time_limit": 1e-9}
    for number in range(5):
        event = Event("a", f"T{number}")
        if number in (0, 3):
            corrupted[event.id] = MALFORMED
        store.save_event(event)
    found = []
    address = pages("malformed")
    for _ in range(10):
        response = admin.get(address)
        found += [error.actor_id for group in response.context["groups"] for error in group.errors]
        address = response.context["next_url"]
        if address is None:
            break
        assert "Looked through 1 event, newest first" in response.content.decode()
        assert "Look further" in response.content.decode()
    # The last page looked through a part of the store, too.
    assert "Looked through 0 events, newest first, to the end." in response.content.decode()
    assert found == ["a", "a"]
    corrupted.clear()


def test_raw_content_is_shown_safely_and_sent_untouched(admin, malformed, pages):
    response = admin.get(pages("problem", malformed))
    page = response.content.decode()
    assert "<script>alert(1)" not in page
    assert "⟨00⟩" in page
    assert "00 1b ff fe" in page
    assert admin.get(pages("problem_raw", malformed)).content == MALFORMED


def test_raw_content_is_hidden_where_anything_is_redacted(admin, malformed, pages, settings):
    settings.EVENT_STORE_ADMIN = {"redact": {"*": ["secret"]}}
    assert "alert(1)" not in admin.get(pages("problem", malformed)).content.decode()
    assert admin.get(pages("problem_raw", malformed)).status_code == 404
    assert admin.get(pages("problem_raw", malformed) + "?reveal=1").content == MALFORMED


def test_an_event_that_can_be_read_again_leads_to_its_page(admin, malformed, pages):
    corrupted.clear()
    response = admin.get(pages("problem", malformed) + "?again=1", follow=True)
    assert "can be read with the current code" in response.content.decode()
    assert response.context["event"].position == malformed


def test_a_skipped_event_is_reported_as_skipped(admin, malformed, store, pages, order_fold):
    replayed = store.replay("order-1", order_fold, {})
    assert [error.position for error in replayed.errors] == [malformed]

    response = admin.post(pages("skip", malformed), {"reason": "The import of 2 March"})
    assert response.status_code == 302
    record = SkippedEvent.objects.get()
    assert (record.store, record.position, record.user) == ("default", malformed, "staff")

    replayed = store.replay("order-1", order_fold, {})
    assert replayed.errors == []
    assert [error.skipped for error in replayed.skipped] == ["The import of 2 March"]
    [error] = store.get_events_with_errors("order-1").errors
    assert error.skipped == "The import of 2 March"
    assert "The import of 2 March" in admin.get(pages("problem", malformed)).content.decode()
    # Skipped for this namespace alone, and once.
    admin.post(pages("skip", malformed), {"reason": "again"})
    assert SkippedEvent.objects.count() == 1
    # The event stays: the next one is saved behind it.
    assert store.save_event(Event("order-1", "OrderReopened")).version == 6


def test_a_skip_needs_a_reason_a_post_and_a_malformed_event(admin, malformed, pages):
    admin.post(pages("skip", malformed), {"reason": "  "})
    assert not SkippedEvent.objects.exists()
    assert admin.get(pages("skip", malformed)).status_code == 405
    assert admin.post(pages("skip", 1), {"reason": "x"}).status_code == 404


def test_a_reason_may_have_lines(admin, malformed, pages):
    """A browser lets 1,000 characters in, and counts a line break as one of them."""
    reason = "\n".join(["twelve chars"] * 76)
    admin.post(pages("skip", malformed), {"reason": reason.replace("\n", "\r\n")})
    assert SkippedEvent.objects.get().reason == reason


def test_the_records_of_skipped_events_are_listed_read_only(malformed, pages):
    SkippedEvent.objects.create(store="default", position=malformed, reason="why", user="mia")
    auditor = client("view_eventstore", "view_skippedevent")
    assert "why" in auditor.get("/admin/django_eventstore/skippedevent/").content.decode()


# -- settings


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"page_sise": 5}, "page_size"),
        ({"redact": {"T": "path"}}, "list"),
        ({"redact": {"T": [5]}}, "applicant.email"),
        ({"redact": {"T": [""]}}, "applicant.email"),
        ({"redact_state": {"T": [[]]}}, "applicant.email"),
        ({"namespaces": {"default": ["*"]}}, "'*'"),
        ({"namespaces": {"defualt": ["eu"]}}, "'defualt'; EVENT_STORES has 'default'"),
        ({"trace_url": "javascript:{trace_id}"}, "https://"),
        ({"trace_url": "https://x/{nope}"}, "trace_id"),
        (5, "dict"),
    ],
)
def test_wrong_settings_are_named_by_a_system_check(settings, options, complaint):
    from django.core import checks

    settings.EVENT_STORE_ADMIN = options
    found = [
        message
        for message in checks.run_checks(tags=["event_stores"])
        if message.id == "eventstore.E050"
    ]
    assert len(found) == 1
    assert complaint in found[0].msg


def test_the_pages_translate(admin, store, pages):
    fill(store)
    german = {"HTTP_ACCEPT_LANGUAGE": "de"}
    assert "Ereignisspeicher" in admin.get(pages("stores"), **german).content.decode()
    assert "+5,0 min" in admin.get(pages("actor", "order-1"), **german).content.decode()
    store.save_event(Event("order-1", "Late", timestamp=START + timedelta(days=1.6)))
    assert "+1,6 T." in admin.get(pages("actor", "order-1"), **german).content.decode()
    page = admin.get(pages("state", "order-1"), **german).content.decode()
    assert "stimmt mit der ganzen Wiedergabe überein" in page


# -- the version cache, projections


def test_the_version_cache_is_checked_against_the_store(admin, pages, settings, nats_server):
    settings.EVENT_STORES = {
        "default": {
            "BACKEND": "django_eventstore.backends.jetstream.JetStreamEventStore",
            "OPTIONS": {
                "servers": [nats_server.url],
                "stream_name": f"cache-{os.urandom(4).hex()}",
            },
        }
    }
    store = event_stores["default"]
    for actor_id in ("a", "b", "c"):
        store.save_event(Event(actor_id, "T"))
    page = admin.get(pages("store"))
    assert "Version cache" in page.content.decode()
    assert page.context["health"].statistics.details["messages"] == 3
    # As another process leaves it behind, which appends on.
    stale = store.version_cache.get("b")
    store.save_event(Event("b", "T"))
    store.version_cache.set("b", stale)
    response = admin.post(pages("check_cache"), follow=True)
    [message] = response.context["messages"]
    assert str(message) == "Entries compared with the store: 3, stale: 1."
    assert admin.get(pages("check_cache")).status_code == 405
    # The stale entry is gone, so the next append need not learn it from a refusal.
    assert "b" not in {entry.actor_id for entry in store.version_cache.entries()}


def test_a_projection_without_its_database_spoils_no_page(admin, store, monkeypatch):
    class Elsewhere:
        using = "gone"

    monkeypatch.setattr("django_eventstore.admin.consumers.get_projections", lambda: [Elsewhere])
    page = admin.get(reverse("admin:eventstore_consumers")).content.decode()
    assert "gone" in page


def test_the_last_error_of_a_projection_is_for_who_may_see_data(store, settings, monkeypatch):
    monkeypatch.setattr("django_eventstore.admin.consumers.get_projections", list)
    consumer = open_consumer("counts", store, shards=1, using="default")
    failure = "Traceback (most recent call last):\n  File x\nValueError: secret of Ada\n"
    consumer.parked.create(position=2, shard=0, actor_id="a", error=failure)
    address = reverse("admin:eventstore_consumers")
    seen = client("view_eventstore", "view_payload").get(address).content.decode()
    assert "<summary><bdi>ValueError: secret of Ada</bdi></summary>" in seen
    settings.EVENT_STORE_ADMIN = {"redact": {"*": ["name"]}}
    get_user_model().objects.all().delete()
    seen = client("view_eventstore", "view_payload").get(address).content.decode()
    assert ("secret" in seen, "It may contain redacted values" in seen) == (False, True)
    settings.EVENT_STORE_ADMIN = {}
    get_user_model().objects.all().delete()
    assert "secret" not in client("view_eventstore").get(address).content.decode()


def test_a_store_with_wrong_settings_hides_no_projection_of_another(
    admin, store, settings, monkeypatch
):
    monkeypatch.setattr("django_eventstore.admin.consumers.get_projections", list)
    open_consumer("counts", store, shards=1, using="default")
    Consumer.objects.create(name="lost", store="wrong", shard_count=1)
    settings.EVENT_STORES = {**settings.EVENT_STORES, "wrong": {"BACKEND": "no.such.Store"}}
    page = admin.get(reverse("admin:eventstore_consumers"))
    assert [row.consumer.name for row in page.context["rows"]] == ["counts"]
    assert "no.such.Store" in page.content.decode()


def test_projections_show_their_position_and_lag(admin, store, monkeypatch):
    # Those of other tests are in databases that this one does not have.
    monkeypatch.setattr("django_eventstore.admin.consumers.get_projections", list)
    saved = store.save_events([Event("a", "T") for _ in range(5)])
    consumer = open_consumer("counts", store, shards=2, using="default")
    consumer.shards.update(position=saved[1].position)
    consumer.parked.create(position=2, shard=0, actor_id="a", error="It broke")
    Consumer.objects.create(name="lost", store="gone", shard_count=1)
    page = admin.get(reverse("admin:eventstore_consumers"))
    rows = {row.consumer.name: row for row in page.context["rows"]}
    figures = rows["counts"].figures
    assert (figures.position, figures.lag, figures.parked) == (saved[1].position, 3, 1)
    assert "It broke" in page.content.decode()
    assert rows["lost"].figures is None
