"""The version cache, and heads that are old: hints that never make a wrong append."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from django_eventstore import Event, VersionConflictError
from tests.support.jetstream import foreign, next_subject, open_store, publish, talk


@pytest.fixture
def namespace():
    return f"versions-{uuid.uuid4().hex[:8]}"


def test_a_single_writer_asks_nothing_before_an_append(nats_server, namespace):
    store = open_store(nats_server.url, namespace)
    counters = store.version_cache.counters
    for _ in range(10):
        store.save_event(Event("order-1", "counted"))
    assert (counters.hits, counters.misses, counters.stale) == (9, 1, 0)


def test_the_latest_version_is_never_a_cached_one(nats_server, namespace):
    store = open_store(nats_server.url, namespace)
    store.save_event(Event("order-1", "placed"))
    publish(nats_server.url, next_subject(store, "order-1"), foreign(2))
    assert store.version_cache.get("order-1").version == 1
    assert store.get_latest_version("order-1") == 2
    assert store.version_cache.counters.stale == 1
    assert store.version_cache.get("order-1") is None
    assert store.save_event(Event("order-1", "paid")).version == 3


def test_a_writer_with_an_old_head_is_put_right(nats_server, namespace):
    store = open_store(nats_server.url, namespace)
    store.save_event(Event("order-1", "placed"))
    publish(nats_server.url, next_subject(store, "order-1"), foreign(2))
    with pytest.raises(VersionConflictError) as caught:
        store.save_event(Event("order-1", "paid"), expected_version=1)
    assert caught.value.current_version == 2
    assert store.save_event(Event("order-1", "paid"), expected_version=2).version == 3


def test_a_cached_head_that_is_too_high_is_put_right(nats_server, namespace):
    store = open_store(nats_server.url, namespace)
    store.save_event(Event("order-1", "placed"))
    store.save_event(Event("order-1", "paid"))

    async def purge(connection):
        await connection.jetstream().purge_stream(store.stream_name)

    talk(nats_server.url, purge)
    assert store.get_latest_version("order-1") == 0
    assert store.version_cache.counters.stale == 1
    assert store.save_event(Event("order-1", "placed"), expected_version=0).version == 1


def test_a_shared_cache_in_an_event_loop(nats_server, namespace):
    store = open_store(nats_server.url, namespace, version_cache="shared")

    async def use():
        saved = [await store.asave_event(Event("order-1", "counted")) for _ in range(3)]
        assert await store.aget_events("order-1") == saved
        assert await store.aget_latest_version("order-1") == 3

    asyncio.run(use())
    assert store.version_cache.counters.hits >= 2
