"""prune_events: old events go, and no state with them that is asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from django_eventstore import Event, Snapshot
from tests.support.accounts import OLD, total, versions
from tests.support.commands import run
from tests.support.database import tamper

pytestmark = pytest.mark.django_db


@pytest.fixture
def store(accounts):
    return accounts


def test_events_older_than_an_age_go_and_the_newest_stays(store):
    ended = run("prune_events", older_than=OLD + timedelta(days=3), interactive=False)

    assert ended == (0, "5 events of 3 actors removed.\n", "")
    assert versions(store, "account-1") == [4, 5, 6, 7, 8, 9, 10]
    assert versions(store, "account-2") == [2]
    assert versions(store, "order-1") == [2]
    assert store.get_latest_version("account-1") == 10
    assert store.save_event(Event("order-1", "Moved")).version == 3


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
