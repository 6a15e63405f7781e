"""The state at a version, its changes, and its snapshot."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest

from django_eventstore import Event, Snapshot
from django_eventstore.admin import scanning
from django_eventstore.folds import register_fold, unregister_fold
from tests.admin.conftest import START, fill

pytestmark = pytest.mark.django_db


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
        scanning.Deadline, "passed", property(lambda self: next(patience) % 100 == 99)
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
    monkeypatch.setattr(scanning.Deadline, "passed", property(lambda self: next(patience) > 100))
    page = admin.get(pages("state", "long") + "?version=50&against=300").content.decode()
    assert "For version 300, the time for one page ran out at version" in page
    assert "Not compared." in page
