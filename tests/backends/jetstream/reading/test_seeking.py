"""Reading a long history from, or down to, a version in its midst."""

from __future__ import annotations

import json
from random import Random

import pytest

from django_eventstore import Event
from tests.support.jetstream import next_subject, open_store, publish

ACTOR = "a-long-one"


@pytest.fixture
def store(any_nats_server, request):
    opened = open_store(any_nats_server.url, stream_name=request.node.name.split("[")[0])
    yield opened
    opened.close()


def test_every_version_is_found_where_a_whole_read_has_it(store, any_nats_server):
    """With gaps between versions, appends of several events, strangers' appends and malformed."""
    random = Random(7)
    version = 0
    for number in range(160):
        events = []
        for _ in range(random.randint(1, 4)):
            version += random.choice([1, 1, 1, 40])
            events.append(Event(ACTOR, "T", version=version))
        store.save_events(events)
        if number in {40, 90}:
            version += 1
            document = {"actor_id": ACTOR, "event_type": "Foreign", "version": version}
            publish(any_nats_server.url, next_subject(store, ACTOR), json.dumps(document).encode())
        if number in {41, 120}:
            publish(any_nats_server.url, next_subject(store, ACTOR), b"no event")

    everything = [event.version for event in store.get_events(ACTOR)]
    assert len(everything) > 300
    for wanted in [1, *random.sample(range(2, version), 40), version, version + 1]:
        up = [event.version for event in store.get_events(ACTOR, wanted, limit=2)]
        assert up == [held for held in everything if held >= wanted][:2]
        down = store.get_events(ACTOR, to_version=wanted, limit=2, reverse=True)
        expected = [held for held in reversed(everything) if held <= wanted][:2]
        assert [event.version for event in down] == expected


def test_a_long_history_is_not_read_to_find_a_place_in_it(store, any_nats_server):
    for number in range(400):
        store.save_events([Event(ACTOR, "T", {"n": number}) for _ in range(3)])
    for wanted in (2, 600, 1199):
        before = any_nats_server.monitor("varz")["in_msgs"]
        assert len(store.get_events(ACTOR, wanted, limit=1)) == 1
        assert len(store.get_events(ACTOR, to_version=wanted, limit=1, reverse=True)) == 1
        assert any_nats_server.monitor("varz")["in_msgs"] - before < 40
