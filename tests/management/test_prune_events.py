"""prune_events, as a user runs it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_eventstore import InvalidEventError
from django_eventstore.backends.memory import InMemoryEventStore, MemoryBackend
from django_eventstore.exceptions import UnsupportedOperation
from django_eventstore.maintenance.pruning import prune_events
from tests.support.accounts import OLD, versions
from tests.support.commands import run

pytestmark = pytest.mark.django_db


@pytest.fixture
def store(accounts):
    return accounts


@pytest.mark.parametrize(("text", "left"), [("30d", 6), ("2020-01-03", 8), ("2019-12-31", 10)])
def test_an_age_is_a_duration_or_a_date(store, text, left):
    run("prune_events", "--older-than", text, "--no-input")

    assert len(versions(store, "account-1")) == left - (text == "30d")


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
