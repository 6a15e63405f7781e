"""Old appends are removed, or age out: none that a writer's old head could take for free."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from django_eventstore import Event
from django_eventstore.backends.jetstream import backend as backend_module
from django_eventstore.backends.jetstream import config
from tests.servers.process import wait_until
from tests.support.jetstream import foreign, next_subject, open_store, publish, talk


@pytest.fixture
def namespace():
    return f"versions-{uuid.uuid4().hex[:8]}"


def test_what_is_young_is_not_pruned(nats_server, namespace):
    store = open_store(nats_server.url, namespace)
    saved = [store.save_event(Event("order-1", "counted")) for _ in range(3)]
    assert store.backend.prune(namespace, "order-1", 2) == 0
    assert store.get_events("order-1") == saved


@pytest.fixture
def short_lived_heads(monkeypatch):
    """Heads that are kept for 0.2 seconds, where it would be minutes."""
    lifetime = timedelta(seconds=0.2)
    monkeypatch.setattr(config, "HEAD_LIFETIME", lifetime)
    monkeypatch.setattr(backend_module, "HEAD_LIFETIME", lifetime)


def test_pruning_and_then_writing_with_an_old_head(nats_server, namespace, short_lived_heads):
    store = open_store(nats_server.url, namespace)
    for _ in range(5):
        store.save_event(Event("order-1", "counted"))
    # The store knows nothing of these: its head is at the fifth append.
    for version in (6, 7):
        publish(nats_server.url, next_subject(store, "order-1"), foreign(version))
    pruned = []

    def prune():
        pruned.append(store.backend.prune(namespace, "order-1", 6))
        return sum(pruned) == 6

    wait_until(prune, "what is old enough is pruned")
    # The sixth subject, on which a writer with the old head would save, is free again. That head
    # expired before anything could be pruned.
    assert store.save_event(Event("order-1", "counted")).version == 8
    assert [event.version for event in store.get_events("order-1")] == [7, 8]


def test_the_newest_append_is_never_pruned(nats_server, namespace, short_lived_heads):
    store = open_store(nats_server.url, namespace)
    store.save_event(Event("order-1", "counted"))
    for _ in range(2):
        store.save_event(Event("order-2", "counted"))
    prune = store.backend.prune
    wait_until(lambda: prune(namespace, "order-2", 1) == 1, "what came later is old enough")
    assert prune(namespace, "order-1", 1) == 0
    assert store.get_latest_version("order-1") == 1


def test_events_that_age_out_leave_the_rest_as_it_is(nats_server, namespace, short_lived_heads):
    store = open_store(nats_server.url, namespace, duplicate_window=timedelta(seconds=1))

    async def age(connection):
        info = await connection.jetstream().stream_info(store.stream_name)
        await connection.jetstream().update_stream(info.config, max_age=2)

    saved = [store.save_event(Event("order-1", "counted")) for _ in range(3)]
    talk(nats_server.url, age)
    wait_until(lambda: store.get_events("order-1") == [], "the events age out")
    assert store.get_latest_version("order-1") == 0
    assert store.save_event(Event("order-1", "counted")).version == 1
    assert saved[0].version == 1
    assert store.count_events() == 1
    assert [actor.actor_id for actor in store.get_actors()] == ["order-1"]
