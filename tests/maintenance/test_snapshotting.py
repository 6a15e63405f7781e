"""snapshot_events: long histories get a snapshot."""

from __future__ import annotations

import json

import pytest

from django_eventstore import Event
from django_eventstore.folds import register_fold, unregister_fold
from tests.support.accounts import total
from tests.support.commands import run
from tests.support.database import tamper

pytestmark = pytest.mark.django_db


@pytest.fixture
def store(accounts):
    return accounts


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
