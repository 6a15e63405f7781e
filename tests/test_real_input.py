"""Real logs through each store: every event comes back equal to its line."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from django_eventstore import Event
from django_eventstore.ndjson import read_ndjson
from django_eventstore.transfer import ImportReport, import_events
from tests.every_store import every_store

__all__ = ["every_store"]

DATA = Path(__file__).parents[2] / "shared" / "data"


def count(state, event):
    return {**state, event.event_type: state.get(event.event_type, 0) + 1}


@pytest.mark.parametrize(
    ("name", "events", "actors", "types", "longest"),
    [("permits.ndjson", 8_577, 1_434, 27, 25), ("purchases.ndjson", 14_892, 466, 36, 331)],
)
def test_a_real_log(every_store, name, events, actors, types, longest):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the real log {path} is not on this machine")
    expected = defaultdict(list)
    with path.open(encoding="utf-8") as file:
        for line in file:
            event = Event.from_dict(json.loads(line))
            expected[event.actor_id].append(event)

    with path.open("rb") as file:
        report = import_events(every_store, read_ndjson(file))
    assert report == ImportReport(line=events, new=events)

    stored = defaultdict(list)
    last = 0
    for event in every_store.read_all():
        assert event.position > last
        last = event.position
        stored[event.actor_id].append(replace(event, position=None))
    assert stored == expected
    assert len(stored) == actors
    assert every_store.count_events() == events
    assert len({event.event_type for history in stored.values() for event in history}) == types
    assert max(map(len, stored.values())) == longest

    for actor_id in [*expected][:: actors // 20]:
        history = every_store.get_events(actor_id)
        assert [replace(event, position=None) for event in history] == expected[actor_id]
        assert every_store.get_latest_version(actor_id) == expected[actor_id][-1].version
        state = {}
        for event in expected[actor_id]:
            state = count(state, event)
        assert every_store.replay(actor_id, count, {}).state == state

    with path.open("rb") as file:
        again = import_events(every_store, read_ndjson(file))
    assert again == ImportReport(line=events, already_stored=events)
    assert every_store.count_events() == events
