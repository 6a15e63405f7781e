"""Servers that die, hang and come back, in the middle of writing: nothing acknowledged is lost."""

from __future__ import annotations

import gc
import threading
import time

import pytest

from django_eventstore import Event, StoreUnavailableError
from django_eventstore.backends.jetstream.client.connection import close_connections
from tests.backends.jetstream.client import writers
from tests.servers import NatsCluster, NatsServer
from tests.servers.process import wait_until
from tests.support.children import Child, run_in_processes
from tests.support.jetstream import open_store

pytestmark = pytest.mark.needs("nats-server")


@pytest.fixture
def server():
    with NatsServer() as server:
        yield server


def check_histories(store, results):
    """Assert that each acknowledged event is there once, in order, and nothing else."""
    acknowledged = {}
    for saved in results:
        for actor_id, ids in saved.items():
            acknowledged.setdefault(actor_id, []).extend(ids)
    for actor_id, ids in acknowledged.items():
        result = store.get_events_with_errors(actor_id)
        stored = [event.id for event in result.events]
        assert result.errors == []
        assert len(set(stored)) == len(stored)
        assert set(stored) == set(ids)
        versions = [event.version for event in result.events]
        assert versions == list(range(1, len(ids) + 1))
    positions = [event.position for event in store.read_all()]
    assert positions == sorted(set(positions))
    assert len(positions) == sum(map(len, acknowledged.values()))


def run_through(url, store, stop, disturb, rounds, writers_count=4):
    """Let processes write while `disturb` is called; return what each had acknowledged."""
    children = [
        Child(writers.write_until, url, str(stop), f"writer-{n}") for n in range(writers_count)
    ]
    try:

        def progress():
            try:
                return store.get_latest_version(writers.SHARED)
            except StoreUnavailableError:
                return 0

        wait_until(lambda: progress() > 10, "the writers write", 60)
        for _ in range(rounds):
            goal = progress() + 1
            disturb()
            wait_until(lambda goal=goal: progress() >= goal, "the writers go on", 60)
        stop.touch()
        return [child.result(60) for child in children]
    finally:
        for child in children:
            child.kill()


def test_a_server_killed_twenty_times_loses_nothing(server, tmp_path):
    store = open_store(server.url)

    def kill():
        server.kill()
        server.start()

    results = run_through(server.url, store, tmp_path / "stop", kill, 20)
    check_histories(store, results)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cluster_whose_leader_is_killed_each_time_loses_nothing(tmp_path):
    with NatsCluster() as cluster:
        url = ",".join(cluster.urls)
        store = open_store(url, replicas=3, timeout=20.0)
        store.setup()

        def kill_leader():
            killed = cluster.kill_stream_leader("events")
            wait_until(lambda: cluster.stream_leader("events") is not killed, "a new leader")
            killed.start()
            cluster.wait_until_healthy()

        results = run_through(url, store, tmp_path / "stop", kill_leader, 20)
        check_histories(store, results)


def test_a_server_restarted_in_order_is_used_again(server):
    store = open_store(server.url)
    saved = [store.save_event(Event("order-1", "placed", {"n": n})) for n in range(3)]
    server.restart()
    saved.append(store.save_event(Event("order-1", "placed", {"n": 3})))
    assert store.get_events("order-1") == saved


def test_without_a_server_calls_end_at_their_deadline():
    with NatsServer() as server:
        url = server.url
    store = open_store(url, timeout=0.5)
    started = time.monotonic()
    with pytest.raises(StoreUnavailableError) as caught:
        store.save_event(Event("order-1", "placed"))
    assert time.monotonic() - started < 30
    assert not caught.value.outcome_unknown
    assert caught.value.__cause__ is not None
    for read in (
        lambda: store.get_latest_version("order-1"),
        lambda: store.get_events("order-1"),
        lambda: list(store.read_all()),
        store.get_actors,
    ):
        with pytest.raises(StoreUnavailableError):
            read()


def test_a_frozen_server_leaves_the_outcome_open_and_saving_again_settles_it(server):
    store = open_store(server.url, timeout=2.0)
    store.save_event(Event("order-1", "placed"))
    event = Event("order-1", "paid", {"amount": 7})
    server.pause()
    try:
        with pytest.raises(StoreUnavailableError) as caught:
            store.save_event(event)
    finally:
        server.resume()
    assert caught.value.outcome_unknown
    store = open_store(server.url)
    saved = store.save_event(event)
    assert [each.id for each in store.get_events("order-1")].count(event.id) == 1
    assert store.save_event(event) == saved
    assert store.count_events() == 2


def test_closing_at_exit_waits_for_no_frozen_server_and_leaves_nothing_open(server, caplog):
    store = open_store(server.url)
    store.save_event(Event("order-1", "placed"))
    server.pause()
    try:
        close_connections()
    finally:
        server.resume()
    # What was left open would warn now, and that is an error.
    gc.collect()
    assert "did not close in order" in caplog.text
    # A store that is used all the same opens another connection, and trusts what it had cached.
    assert store.save_event(Event("order-1", "paid")).version == 2


def test_nothing_written_during_an_outage_appears_later(server):
    store = open_store(server.url, timeout=2.0)
    store.save_event(Event("order-1", "placed"))
    server.stop()
    with pytest.raises(StoreUnavailableError):
        store.save_event(Event("order-1", "lost"))
    server.start()
    store = open_store(server.url)
    saved = store.save_event(Event("order-1", "paid"))
    assert [event.event_type for event in store.get_events("order-1")] == ["placed", "paid"]
    assert saved.version == 2


def test_eight_processes_share_actors(nats_server):
    arguments = [(nats_server.url, f"writer-{number}") for number in range(8)]
    results = run_in_processes(writers.share, arguments)
    store = open_store(nats_server.url, "shared-actors")
    # At any version: nobody fails, and every version is there once.
    events = store.get_events("any")
    assert [event.version for event in events] == list(range(1, 161))
    assert sorted(event.id for event in events) == sorted(ids_of(results, "any"))
    # At a version: each has one winner.
    events = store.get_events("expected")
    assert [event.version for event in events] == list(range(1, len(events) + 1))
    assert sorted(event.id for event in events) == sorted(ids_of(results, "expected"))
    assert len(events) >= 10


def ids_of(results, actor_id):
    return [event_id for result in results for event_id in result[actor_id]]


def test_a_client_reads_its_own_writes_from_replicas(nats_cluster):
    store = open_store(",".join(nats_cluster.urls), "own-writes", replicas=3, timeout=20.0)
    store.setup()
    stop = threading.Event()

    def load(number):
        own = open_store(",".join(nats_cluster.urls), "own-writes", replicas=3, timeout=20.0)
        while not stop.is_set():
            own.save_events([Event(f"load-{number}", "x" * 200) for _ in range(50)])

    threads = [threading.Thread(target=load, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 151):
            actor_id = f"order-{number % 7}"
            saved = store.save_event(Event(actor_id, "counted", {"n": number}))
            assert store.get_events(actor_id)[-1] == saved
            assert store.get_latest_version(actor_id) == saved.version
            assert store.get_event(saved.position) == saved
            assert next(store.read_all(after=saved.position - 1)) == saved
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("cache", ["", "shared"])
def test_a_fork_opens_a_connection_of_its_own(nats_server, cache):
    namespace, options = f"forks-{cache}", {"version_cache": cache}
    (statuses,) = run_in_processes(writers.use_after_fork, [(nats_server.url, namespace, options)])
    assert statuses == [0, 0, 0, 0]
    store = open_store(nats_server.url, namespace)
    assert store.get_latest_snapshot("parent").state == "child"
    assert [event.version for event in store.get_events("parent")] == [1, 2, 3, 4, 5]
    assert len(store.get_events("kept")) == 1
    assert all(store.get_latest_version(f"child-{number}") == 1 for number in range(3))
