"""The list of actors: complete when it is long, kept, and true to what comes."""

from __future__ import annotations

import math
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag

import pytest
from nats.js.errors import NotFoundError

from django_eventstore import Event, Snapshot, StoreUnavailableError
from django_eventstore.backends.jetstream.reading import headers
from tests.backends.jetstream.listing.actors import (
    MANY,
    assert_lists_all,
    consumers,
    first_appends,
    listing,
    names,
)
from tests.servers import NatsServer
from tests.support.jetstream import open_store, publish_many, talk


@pytest.mark.parametrize("server", ["nats_server", "nats_server_oldest", "nats_cluster"])
def test_many_actors(request, namespace, server):
    running = request.getfixturevalue(server)
    url = ",".join(running.urls) if server == "nats_cluster" else running.url
    store = open_store(url, namespace, replicas=3 if server == "nats_cluster" else 1)
    store.setup()
    many = 20_000 if server == "nats_cluster" else MANY
    publish_many(url, first_appends(store, range(many)))
    assert store.get_statistics().actor_count == many
    assert_lists_all(store, many)
    assert consumers(store) == []


def test_a_list_that_was_not_finished_in_time_is_gone_on_with(nats_server, namespace):
    store = open_store(nats_server.url, namespace)
    store.setup()
    publish_many(nats_server.url, first_appends(store, range(MANY)))
    shares = []
    while (page := store.get_actors(limit=5, time_limit=0.001)).coverage < 1:
        shares.append(page.coverage)
        # What was found so far is listed, in order.
        assert names(page) == sorted(names(page)) != []
    assert shares == sorted(set(shares)) != []
    assert shares[0] < 0.2
    assert consumers(store) == []
    assert_lists_all(store, MANY)


def test_several_at_once_have_the_actors_listed_once(nats_server, namespace):
    store = open_store(nats_server.url, namespace)
    store.setup()
    publish_many(nats_server.url, first_appends(store, range(MANY)))
    before = nats_server.monitor("varz")["out_msgs"]
    with ThreadPoolExecutor(8) as pool:
        pages = [pool.submit(store.get_actors, limit=3, time_limit=math.inf) for _ in range(8)]
    assert {tuple(names(page.result())) for page in pages} == {
        ("actor-0000000", "actor-0000001", "actor-0000002")
    }
    assert nats_server.monitor("varz")["out_msgs"] - before < 1.5 * MANY


def test_a_list_is_complete_though_the_server_drops_its_consumers(nats_server, namespace):
    """As it does when the server that holds one stops."""
    store = open_store(nats_server.url, namespace)
    store.setup()
    publish_many(nats_server.url, first_appends(store, range(MANY)))
    listed = Flag()

    async def drop(connection):
        stream = connection.jetstream()
        dropped = 0
        while not listed.is_set():
            for consumer in await stream.consumers_info(store.stream_name):
                try:
                    await stream.delete_consumer(store.stream_name, consumer.name)
                    dropped += 1
                except NotFoundError:  # the store was faster
                    continue
        return dropped

    with ThreadPoolExecutor(1) as pool:
        dropping = pool.submit(talk, nats_server.url, drop)
        try:
            assert_lists_all(store, MANY)
        finally:
            listed.set()
    assert dropping.result() > 0


@pytest.mark.parametrize("many", [3, 2500])
def test_what_is_new_is_added_without_listing_all_again(nats_server, namespace, many):
    store = open_store(nats_server.url, namespace)
    store.setup()
    publish_many(nats_server.url, first_appends(store, range(10)))
    assert len(store.get_actors()) == 10
    publish_many(nats_server.url, first_appends(store, range(10, 10 + many)))
    before = nats_server.monitor("varz")["in_msgs"]
    assert names(store.get_actors(search=f"{9 + many:07d}")) == [f"actor-{9 + many:07d}"]
    # Not one by one.
    assert nats_server.monitor("varz")["in_msgs"] - before < 20
    assert names(store.get_actors(limit=1, order_by="-actor_id")) == [f"actor-{9 + many:07d}"]


def test_namespaces_are_listed_at_once_over_one_connection(nats_server, namespace, monkeypatch):
    many = 10_000
    stores = [open_store(nats_server.url, f"{namespace}-{number}") for number in range(3)]
    for store in stores:
        store.setup()
        publish_many(nats_server.url, first_appends(store, range(many)))
    monkeypatch.setattr(headers, "PAGE", 20)  # so many that they meet at every step
    interval = sys.getswitchinterval()
    connections = nats_server.monitor("varz")["total_connections"]
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(3) as pool:
            pages = list(pool.map(lambda store: store.get_actors(limit=1), stores))
    finally:
        sys.setswitchinterval(interval)
    assert [names(page) for page in pages] == [["actor-0000000"]] * 3
    assert nats_server.monitor("varz")["total_connections"] == connections
    for store in stores:
        assert_lists_all(store, many)


def test_who_waits_for_another_is_not_told_that_all_was_found(nats_server, namespace):
    store = open_store(nats_server.url, namespace)
    store.setup()
    publish_many(nats_server.url, first_appends(store, range(10)))
    assert store.get_actors().coverage == 1
    publish_many(nats_server.url, first_appends(store, range(10, MANY)))
    with listing(store) as whole:
        page = store.get_actors(order_by="-actor_id", limit=1, time_limit=1e-6)
        assert page.coverage < 1 or names(page) == [f"actor-{MANY - 1:07d}"]
    assert whole.result().coverage == 1


def test_a_list_is_complete_though_the_snapshots_are_removed_meanwhile(nats_server, namespace):
    store = open_store(nats_server.url, namespace)
    store.save_snapshot(Snapshot("actor-0000007", 1, {}))
    store.setup()
    publish_many(nats_server.url, first_appends(store, range(MANY)))

    async def remove(connection):
        await connection.jetstream().delete_stream(f"{store.stream_name}_snapshots")

    talk(nats_server.url, remove)
    with listing(store, limit=1) as page:
        store.save_snapshot(Snapshot("actor-0000007", 1, {}))
    assert (names(page.result()), page.result().coverage) == (["actor-0000000"], 1)


def test_a_stream_that_was_set_back_is_listed_anew(tmp_path, namespace):
    with NatsServer() as server:
        data, backup = server.directory / "data", tmp_path / "backup"
        store = open_store(server.url, namespace, timeout=20)
        store.save_event(Event("order-1", "placed"))
        server.stop()
        shutil.copytree(data, backup)
        server.start()
        for number in range(2, 6):
            store.save_event(Event(f"order-{number}", "placed"))
        assert len(store.get_actors()) == 5
        server.stop()
        shutil.rmtree(data)
        shutil.copytree(backup, data)
        server.start()
        store.version_cache.clear()
        store.save_event(Event("order-6", "placed"))
        assert names(store.get_actors()) == ["order-1", "order-6"]


def test_a_server_that_makes_no_consumer_is_named(any_nats_server, namespace):
    store = open_store(any_nats_server.url, namespace)
    store.setup()

    async def fill(connection):
        stream = connection.jetstream()
        config = (await stream.stream_info(store.stream_name)).config
        await stream.delete_stream(store.stream_name)
        await stream.add_stream(config, max_consumers=1)
        await stream.add_consumer(store.stream_name, durable_name="another", ack_policy="none")

    talk(any_nats_server.url, fill)
    publish_many(any_nats_server.url, first_appends(store, range(2500)))
    with pytest.raises(StoreUnavailableError, match=r"takes a consumer.*maximum consumers limit"):
        store.get_actors()
    assert names(store.get_actors(order_by="-last_position", limit=1)) == ["actor-0002499"]
