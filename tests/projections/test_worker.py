"""A projection applies each event exactly once, in the order of its actor."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connections, transaction

from django_eventstore import Event, event_stores
from django_eventstore.models import ParkedEvent
from django_eventstore.projections import get_projection
from tests.support.database import ALL, on
from tests.support.projections.counting import run, save
from tests.support.projections.figures import agree
from tests.support.projections.projections import count

pytestmark = pytest.mark.django_db(transaction=True)


@on(*ALL, transactions=True)
def test_events_are_counted_once_however_often_it_runs(alias):
    counting = get_projection(f"counting-{alias}")
    save(alias, 20)
    assert run(counting) == 20
    assert run(counting) == 0
    save(alias, 3)
    assert run(counting) == 3
    agree(alias)


def test_only_wanted_types_are_applied_and_the_others_are_passed(counting, monkeypatch):
    monkeypatch.setattr(type(counting), "event_types", ["Wanted"])
    save("default", 3)
    event_stores["default"].save_event(Event("b", "Wanted", {"n": 1}))
    assert run(counting) == 1
    assert counting.figures().lag == 0


def test_a_callback_on_commit_that_fails_applies_nothing_twice(counting, monkeypatch):
    def apply(self, event):
        count(event, "default")
        transaction.on_commit(lambda: 1 / 0)

    monkeypatch.setattr(type(counting), "apply", apply)
    save("default", 5)
    run(counting)
    agree("default")


@on(*ALL, transactions=True)
def test_a_commit_whose_outcome_is_unknown_is_not_applied_twice(alias):
    """The connection is lost after the server has committed, and before it has said so."""
    counting = get_projection(f"counting-{alias}")
    connection = connections[alias]
    lost = []

    class Lose(type(counting)):
        def apply(self, event):
            count(event, alias)
            if not lost:
                lost.append(connection._commit)
                connection._commit = self.commit_and_lose

        def commit_and_lose(self):
            connection._commit = lost[0]
            connection._commit()
            raise OperationalError("the connection is lost")

    save(alias, 5)
    run(Lose())
    assert lost
    agree(alias)
    assert not ParkedEvent.objects.using(alias).exists()
