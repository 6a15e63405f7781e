"""snapshot_events, event_store_stats, prune_events."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from django_eventstore import Event, InvalidEventError, Snapshot, event_stores
from django_eventstore.backends.memory import InMemoryEventStore, MemoryBackend
from django_eventstore.exceptions import UnsupportedOperation
from django_eventstore.folds import register_fold, unregister_fold
from django_eventstore.maintenance.pruning import prune_events
from tests.support.commands import run
from tests.support.database import tamper

pytestmark = pytest.mark.django_db
OLD = datetime(2020, 1, 1, tzinfo=UTC)


def total(state, event):
    return {"total": state["total"] + event.data.get("n", 0)}


@pytest.fixture
def store():
    """A store in which ``account-1`` has five events of 2020 and five new ones; others have two."""
    register_fold("account-", total, initial={"total": 0})
    store = event_stores["default"]
    for number in range(10):
        when = OLD + timedelta(days=number) if number < 5 else datetime.now(UTC)
        store.save_event(Event("account-1", "Moved", {"n": 1}, timestamp=when))
    for actor_id in ("account-2", "order-1"):
        store.save_events([Event(actor_id, "Moved", {"n": 5}, timestamp=OLD) for _ in range(2)])
    yield store
    unregister_fold("account-")


def versions(store, actor_id):
    return [event.version for event in store.get_events(actor_id)]


# -- snapshot_events


def test_long_histories_get_a_snapshot(store):
    assert run("snapshot_events", more_than=5, dry_run=True).out.startswith(
        "1 snapshot would be saved; 3 actors looked at, 1 of them without a registered fold"
    )
    assert store.get_latest_snapshot("account-1") is None

    ended = run("snapshot_events", more_than=5)

    assert ended.status == 0
    snapshot = store.get_latest_snapshot("account-1")
    assert (snapshot.version, snapshot.state) == (10, {"total": 10})
    assert store.get_latest_snapshot("account-2") is None
    assert json.loads(run("snapshot_events", more_than=5, format="json").out)["saved"] == 0

    store.save_events([Event("account-1", "Moved", {"n": 1}) for _ in range(6)])
    assert json.loads(run("snapshot_events", more_than=5, format="json").out)["saved"] == 1
    assert store.get_latest_snapshot("account-1").state == {"total": 16}


def test_versions_with_gaps_are_no_events(store):
    store.save_event(Event("account-3", "Moved", version=1000))

    assert json.loads(run("snapshot_events", more_than=9, format="json").out)["saved"] == 1
    assert store.get_latest_snapshot("account-3") is None


def test_snapshots_of_an_older_fold_are_made_anew(store):
    run("snapshot_events", more_than=5)
    unregister_fold("account-")
    register_fold("account-", total, initial={"total": 100}, schema_version=2)
    store.save_events([Event("account-1", "Moved", {"n": 1}) for _ in range(6)])

    run("snapshot_events", more_than=5)

    snapshot = store.get_latest_snapshot("account-1")
    assert (snapshot.state, snapshot.schema_version) == ({"total": 116}, 2)


def test_an_actor_with_malformed_events_gets_no_snapshot(store):
    tamper(3, data="[")

    ended = run("snapshot_events", more_than=1)

    assert ended.status == 1
    assert "account-1: no snapshot: 1 of its events are malformed." in ended.err
    assert store.get_latest_snapshot("account-1") is None
    assert store.get_latest_snapshot("account-2").state == {"total": 10}


@pytest.mark.parametrize(
    ("apply", "expected"),
    [
        (lambda state, event: 1 / 0, "the fold raised ZeroDivisionError: division by zero"),
        (lambda state, event: {"when": event.timestamp}, "its state cannot be kept: state['when']"),
    ],
)
def test_a_fold_that_fails_is_named(store, apply, expected):
    unregister_fold("account-")
    register_fold("account-", apply, initial={})

    ended = run("snapshot_events", more_than=5)

    assert ended.status == 1
    assert f"account-1: no snapshot: {expected}" in ended.err


# -- event_store_stats


def test_how_much_there_is(store):
    shown = json.loads(run("event_store_stats", format="json").out)

    assert (shown["store"], shown["events"], shown["actors"]) == ("default", 14, 3)
    assert shown["first_event"] == {"position": 1, "timestamp": "2020-01-01T00:00:00.000000Z"}
    assert shown["last_event"]["position"] == 14
    assert shown["longest_histories"]["account-1"] == 10
    assert "event_types" not in shown

    text = run("event_store_stats").out
    assert "events       14\n" in text
    assert "    10  account-1\n" in text


def test_every_event_is_counted_by_type(store):
    tamper(14, data="[")

    shown = json.loads(run("event_store_stats", full=True, format="json").out)

    assert (shown["event_types"], shown["malformed"]) == ({"Moved": 13}, 1)


def test_an_empty_store():
    out = run("event_store_stats", namespace="empty", full=True).out

    assert "events       0\n" in out
    assert "first event  none\n" in out


# -- prune_events


def test_events_older_than_an_age_go_and_the_newest_stays(store):
    ended = run("prune_events", older_than=OLD + timedelta(days=3), interactive=False)

    assert ended == (0, "5 events of 3 actors removed.\n", "")
    assert versions(store, "account-1") == [4, 5, 6, 7, 8, 9, 10]
    assert versions(store, "account-2") == [2]
    assert versions(store, "order-1") == [2]
    assert store.get_latest_version("account-1") == 10
    assert store.save_event(Event("order-1", "Moved")).version == 3


@pytest.mark.parametrize(("text", "left"), [("30d", 6), ("2020-01-03", 8), ("2019-12-31", 10)])
def test_an_age_is_a_duration_or_a_date(store, text, left):
    run("prune_events", "--older-than", text, "--no-input")

    assert len(versions(store, "account-1")) == left - (text == "30d")


def test_up_to_the_newest_snapshot_every_state_can_still_be_replayed(store):
    store.save_snapshot(Snapshot("account-1", 7, {"total": 7}))

    ended = run("prune_events", up_to_snapshot=True, interactive=False, format="json")

    assert ended.status == 0
    assert json.loads(ended.out) == {
        "actors": 3,
        "pruned_actors": 1,
        "events": 7,
        "without_snapshot": 0,
    }
    assert versions(store, "account-1") == [8, 9, 10]
    assert store.replay("account-1", total, {"total": 0}).state == {"total": 10}


def test_both_conditions_together(store):
    store.save_snapshot(Snapshot("account-1", 7, {"total": 7}))

    run("prune_events", up_to_snapshot=True, older_than=OLD + timedelta(days=3), interactive=False)

    assert versions(store, "account-1") == [4, 5, 6, 7, 8, 9, 10]
    assert versions(store, "account-2") == [1, 2]


def test_a_snapshot_that_the_fold_cannot_use_protects_nothing(store):
    store.save_snapshot(Snapshot("account-1", 7, {"total": 7}, schema_version=2))

    ended = run("prune_events", up_to_snapshot=True, interactive=False)

    assert ended.out == "0 events of 0 actors removed.\n"


def test_one_actor_only(store):
    run("prune_events", older_than=datetime.now(UTC), actor="account-2", interactive=False)

    assert versions(store, "account-2") == [2]
    assert versions(store, "order-1") == [1, 2]


def test_a_malformed_event_ends_the_removal(store):
    tamper(3, data="[")

    run("prune_events", older_than=OLD + timedelta(days=4), interactive=False)

    assert versions(store, "account-1") == [4, 5, 6, 7, 8, 9, 10]
    assert len(store.get_events_with_errors("account-1").errors) == 1


def test_it_asks_first(store, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: "y")
    ended = run("prune_events", older_than=OLD + timedelta(days=3))
    assert (ended.status, ended.out) == (1, "")
    assert "5 events of 3 actors will be removed from the store 'default', for good." in ended.err
    assert "3 actors will have no state to replay" in ended.err
    assert ended.err.endswith("Nothing was removed.")
    assert store.count_events() == 14

    monkeypatch.setattr("builtins.input", lambda prompt: "yes")
    assert run("prune_events", older_than=OLD + timedelta(days=3)).status == 0
    assert store.count_events() == 9


def test_a_dry_run_removes_nothing(store):
    ended = run("prune_events", older_than=OLD + timedelta(days=3), dry_run=True)

    assert ended.out == "5 events of 3 actors would be removed.\n"
    assert store.count_events() == 14


def test_what_cannot_be_done_is_said(store):
    assert run("prune_events")[::2] == (
        2,
        "Say what to remove: --older-than, --up-to-snapshot, or both.",
    )
    for wrong in ("soon", "99999999999d"):
        ended = run("prune_events", "--older-than", wrong)
        assert f"{wrong!r} is neither an age, such as 365d" in ended.err
    with pytest.raises(InvalidEventError):
        prune_events(store)

    class KeepingBackend(MemoryBackend):
        supports_pruning = False

    class Keeper(InMemoryEventStore):
        backend_class = KeepingBackend

    with pytest.raises(UnsupportedOperation):
        prune_events(Keeper(), older_than=OLD)
