"""Causes and effects of an event."""

from __future__ import annotations

import pytest

from django_eventstore import Event, event_stores

pytestmark = pytest.mark.django_db


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
