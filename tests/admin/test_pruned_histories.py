"""The pages of an actor whose first events retention has removed."""

from __future__ import annotations

import os

import pytest

from django_eventstore import Event, Snapshot, event_stores
from django_eventstore.maintenance.pruning import prune_events
from tests.admin.conftest import apply
from tests.support.jetstream import purge, subjects

pytestmark = pytest.mark.django_db

BACKENDS = "django_eventstore.backends"


@pytest.fixture(params=["database", "jetstream"])
def pruned(request, settings, order_fold):
    """A store with an order, whose first three events only a snapshot holds."""
    if request.param == "database":
        entry = {"BACKEND": f"{BACKENDS}.database.DatabaseEventStore"}
    else:
        server = request.getfixturevalue("nats_server")
        options = {
            "servers": [server.url],
            "stream_name": f"pruned-{os.urandom(4).hex()}",
            "deny_delete": False,
        }
        entry = {"BACKEND": f"{BACKENDS}.jetstream.JetStreamEventStore", "OPTIONS": options}
    settings.EVENT_STORES = {"default": entry}
    store = event_stores["default"]
    for event in (
        Event("order-1", "OrderPlaced", {"customer": "Mia"}),
        Event("order-1", "LineAdded", {"sku": "A-1"}),
        Event("order-1", "LineAdded", {"sku": "A-2"}),
        Event("order-1", "OrderPaid", {"card": "4242"}),
        Event("order-1", "LineAdded", {"sku": "A-3"}),
    ):
        store.save_event(event)
    replayed = store.replay("order-1", apply, {}, to_version=3)
    store.save_snapshot(Snapshot("order-1", 3, replayed.state, schema_version=2))
    store.final = store.replay("order-1", apply, {}).state
    if request.param == "database":
        prune_events(store, up_to_snapshot=True)
    else:
        # As the stream's own max_age would: nothing so young is pruned.
        for subject in subjects(server.url, store, "order-1")[:3]:
            purge(server.url, store.stream_name, subject)
    assert store.get_events("order-1")[0].version == 4
    return store


def test_a_state_begins_with_the_snapshot_that_stands_for_what_is_gone(admin, pages, pruned):
    response = admin.get(pages("state", "order-1"))
    assert response.context["shown"].state == pruned.final
    assert [change.where for change in response.context["changes"]] == ["lines[2].sku"]
    assert "The history begins at version 4: the snapshot of version 3" in response.content.decode()
    at_snapshot = admin.get(pages("state", "order-1") + "?version=3")
    assert at_snapshot.context["shown"].state["status"] == "placed"
    assert at_snapshot.context["changes"] == []
    assert "The previous version is gone." in at_snapshot.content.decode()
    compared = admin.get(pages("state", "order-1") + "?against=3")
    assert {change.where for change in compared.context["changes"]} == {
        "status",
        "card",
        "lines[2].sku",
    }


def test_a_state_from_before_the_snapshot_says_that_it_cannot_be_whole(admin, pages, pruned):
    page = admin.get(pages("state", "order-1") + "?version=2").content.decode()
    assert "events before it, if there were any, are gone" in page


def test_a_later_snapshot_is_compared_with_the_events_since(admin, pages, pruned):
    # The oldest snapshot is the beginning, and there is nothing to compare it with.
    assert admin.get(pages("state", "order-1")).context["check"].agrees is None
    pruned.save_snapshot(Snapshot("order-1", 5, pruned.final, schema_version=2))
    assert admin.get(pages("state", "order-1")).context["check"].agrees
    pruned.save_snapshot(Snapshot("order-1", 5, {"status": "lost"}, schema_version=2))
    assert admin.get(pages("state", "order-1")).context["check"].agrees is False


def test_blame_tells_what_nobody_is_known_to_have_set(admin, pages, pruned):
    response = admin.get(pages("blame", "order-1"))
    assert response.status_code == 200
    rows = {row.where: row for row in response.context["rows"]}
    assert {name: row.last and row.last.version for name, row in rows.items()} == {
        "status": 4,
        "customer": None,
        "card": 4,
        "lines[0].sku": None,
        "lines[1].sku": None,
        "lines[2].sku": 5,
    }
    assert (rows["customer"].value, rows["customer"].first) == ("Mia", None)
    changes = admin.get(pages("field", "order-1") + "?path=status").context["changes"]
    assert [(change.before, change.after) for change in changes] == [("placed", "paid")]


def test_the_copied_test_begins_with_the_snapshot(admin, pages, pruned):
    last = pruned.get_events("order-1")[-1]
    code = admin.get(pages("event", last.position)).context["test"]
    names: dict = {}
    exec(compile(code, "copied", "exec"), names)
    states = []

    def decide(state):
        states.append(state)
        return [last]

    names["decide"] = decide
    names["test_line_added"]()
    [state] = states
    assert (state["status"], state["customer"], len(state["lines"])) == ("paid", "Mia", 2)


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_snapshots_stand_in_the_timeline_without_their_events(
    admin, pages, pruned, settings, order
):
    settings.EVENT_STORE_ADMIN = {"page_size": 1}
    pruned.save_snapshot(Snapshot("order-1", 4, {}, schema_version=2))
    seen = []
    address = f"{pages('actor', 'order-1')}?order={order}"
    while address:
        context = admin.get(address).context
        seen += [(row.kind, row.item.version) for row in context["rows"]]
        address = context["page"].next_url
    expected = [("snapshot", 3), ("event", 4), ("snapshot", 4), ("event", 5)]
    assert seen == (expected if order == "oldest" else expected[::-1])
    rows = admin.get(pages("actor", "order-1") + "?from=4").context["rows"]
    assert ("snapshot", 3) not in [(row.kind, row.item.version) for row in rows]
