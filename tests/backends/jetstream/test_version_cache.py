"""The version cache, and heads that are old: hints that never make a wrong append."""

from __future__ import annotations

import asyncio
import io
import json
import os
import uuid
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from django_eventstore import Event, VersionConflictError, event_stores
from django_eventstore.backends.jetstream import config
from django_eventstore.backends.jetstream import store as store_module
from tests.servers.process import wait_until
from tests.support.children import run_in_processes
from tests.support.jetstream import next_subject, open_store, publish, talk

BACKEND = "django_eventstore.backends.jetstream.JetStreamEventStore"


@pytest.fixture
def namespace():
    return f"versions-{uuid.uuid4().hex[:8]}"


def foreign(version):
    """Return an event as a stranger would write it."""
    return json.dumps(
        {"id": str(uuid.uuid4()), "event_type": "foreign", "version": version}
    ).encode()


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
    monkeypatch.setattr(store_module, "HEAD_LIFETIME", lifetime)


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
    prune = store._prune
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


def settings(url, namespace, **options):
    return {
        "default": {
            "BACKEND": BACKEND,
            "NAMESPACE": namespace,
            "OPTIONS": {"servers": [url], "max_age": None, **options},
        }
    }


def check(*arguments):
    """Run the command; return what it printed, and its exit status."""
    out = io.StringIO()
    try:
        call_command("check_version_cache", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue() + str(error), error.returncode
    return out.getvalue(), 0


def test_the_command_finds_stale_entries_that_other_processes_wrote(nats_server, namespace):
    stores = settings(nats_server.url, namespace, version_cache="shared")
    with override_settings(EVENT_STORES=stores):
        (writer,) = run_in_processes(save_elsewhere, [(nats_server.url, namespace)])
        store = event_stores["default"]
        assert check() == ("checked: 2  stale: 0\n", 0)
        # The child's entry is used here: no question to the server.
        store.save_event(Event("order-2", "paid"))
        assert store.version_cache.counters.hits == 1
        publish(nats_server.url, next_subject(store, "order-1"), foreign(2))
        printed, status = check("--format", "json")
        found = json.loads(printed.splitlines()[0])
        assert status == 1
        assert (found["checked"], found["shared"]) == (2, True)
        (stale,) = found["stale"]
        assert (stale["actor_id"], stale["cached"], stale["actual"]) == ("order-1", 1, 2)
        assert stale["writer"].endswith(f":{writer}")
        assert check("--actor", "order-2")[1] == 0
        assert check("--actor", "order-1", "--fix")[1] == 1
        assert check() == ("checked: 1  stale: 0\n", 0)
        assert store.save_event(Event("order-1", "paid")).version == 3


def save_elsewhere(url, namespace):
    store = open_store(url, namespace, version_cache="shared")
    store.save_event(Event("order-1", "placed"))
    store.save_event(Event("order-2", "placed"))
    return os.getpid()


def test_the_command_says_what_it_cannot_see(nats_server, namespace):
    with override_settings(EVENT_STORES=settings(nats_server.url, namespace)):
        printed, status = check()
        assert status == 0
        assert "local to each process" in printed
        event_stores["default"].save_event(Event("order-1", "placed"))
        printed, status = check()
        assert "checked: 1  stale: 0" in printed


def test_a_shared_cache_in_an_event_loop(nats_server, namespace):
    store = open_store(nats_server.url, namespace, version_cache="shared")

    async def use():
        saved = [await store.asave_event(Event("order-1", "counted")) for _ in range(3)]
        assert await store.aget_events("order-1") == saved
        assert await store.aget_latest_version("order-1") == 3

    asyncio.run(use())
    assert store.version_cache.counters.hits >= 2
