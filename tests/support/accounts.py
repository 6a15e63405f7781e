"""A store of accounts: old events and new ones, with a fold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from django_eventstore import Event, event_stores
from django_eventstore.folds import register_fold, unregister_fold

OLD = datetime(2020, 1, 1, tzinfo=UTC)


def total(state, event):
    return {"total": state["total"] + event.data.get("n", 0)}


@pytest.fixture
def accounts():
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
