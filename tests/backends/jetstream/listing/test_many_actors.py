"""The list of actors: complete when it is long, kept, and true to what comes and goes."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event as Flag

import pytest
from nats.js.errors import NotFoundError

from django_eventstore import Event, Snapshot, StoreUnavailableError
from django_eventstore.backends.jetstream.reading import header_reader
from tests.servers import NatsServer
from tests.support.jetstream import (
    next_subject,
    open_store,
    publish,
    publish_many,
    purge,
    talk,
)

MANY = 40_000
"""So many that they are read by a consumer, in many pages."""


@pytest.fixture
def namespace():
    return f"t{os.urandom(4).hex()}"


def first_appends(store, numbers):
    """Return (subject, payload) of an event of each `actor-<number>`."""
    for number in numbers:
        payload = {"id": f"id-{number}", "event_type": "placed", "version": 1}
        subject = f"{store.stream_name}.events.actor-{number:07d}.1"
        yield subject, json.dumps(payload).encode()


def names(page):
    return [actor.actor_id for actor in page]


def prune(store, actor_id, append):
    """Remove an append as retention would, and what this process knows of the actor."""
    url = ",".join(store.options.servers)
    purge(url, store.stream_name, f"{store.stream_name}.events.{actor_id}.{append}")
    store.version_cache.clear()


def consumers(store):
    """Return the names of the consumers of the store's stream."""

    async def ask(connection):
        found = await connection.jetstream().consumers_info(store.stream_name)
        return [consumer.name for consumer in found]

    return talk(",".join(store.options.servers), ask)


def assert_lists_all(store, many):
    """The list begins and ends as it should, and some from everywhere are in it."""
    first = store.get_actors(limit=2)
    assert names(first) == ["actor-0000000", "actor-0000001"]
    more = store.get_actors(limit=2, cursor=first.next_cursor)
    assert names(more) == ["actor-0000002", "actor-0000003"]
    last = store.get_actors(limit=1, order_by="-actor_id")
    assert names(last) == [f"actor-{many - 1:07d}"]
    for number in random.sample(range(many), 30):
        assert names(store.get_actors(search=f"-{number:07d}")) == [f"actor-{number:07d}"]


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


def test_actors_that_are_gone_leave_the_list_and_may_come_back(any_nats_server, namespace):
    store = open_store(any_nats_server.url, namespace)
    for number in range(1, 6):
        store.save_event(Event(f"order-{number}", "placed"))
    assert len(store.get_actors()) == 5
    prune(store, "order-2", 1)
    prune(store, "order-3", 1)
    page = store.get_actors(limit=2)
    assert names(page) == ["order-1", "order-4"]
    assert names(store.get_actors(limit=2, cursor=page.next_cursor)) == ["order-5"]
    store.save_event(Event("order-3", "placed"))
    assert names(store.get_actors()) == ["order-1", "order-3", "order-4", "order-5"]


def test_an_actor_without_its_first_append_is_listed(any_nats_server, namespace):
    store = open_store(any_nats_server.url, namespace)
    for number in (1, 2, 1, 3):
        store.save_event(Event(f"order-{number}", "placed"))
    prune(store, "order-1", 1)
    assert names(store.get_actors()) == ["order-1", "order-2", "order-3"]


def test_actors_with_their_first_append_are_found_before_all_others(nats_server, namespace):
    """However long the stream is in which some have lost theirs."""
    store = open_store(nats_server.url, namespace)
    store.setup()
    publish_many(nats_server.url, first_appends(store, range(500)))
    beats = (f"{store.stream_name}.events.busy.{number}" for number in range(1, MANY + 1))
    publish_many(nats_server.url, ((subject, b"{}") for subject in beats))
    publish_many(nats_server.url, first_appends(store, range(500, 1000)))
    store.save_event(Event("actor-0000003", "paid"))
    prune(store, "actor-0000003", 1)
    pages = []
    while not pages or pages[-1].coverage < 1:
        pages.append(store.get_actors(search="99", limit=50, time_limit=0.001))
    everyone = [f"actor-{number:07d}" for number in range(1000) if "99" in str(number)]
    assert names(pages[-1]) == everyone
    assert names(pages[1]) == everyone
    assert pages[1].coverage < 0.5
    assert names(store.get_actors(search="actor-0000003")) == ["actor-0000003"]


def test_many_actors_of_which_one_has_lost_its_first_append(any_nats_server, namespace):
    store = open_store(any_nats_server.url, namespace)
    store.setup()
    publish_many(any_nats_server.url, first_appends(store, range(5000)))
    store.save_event(Event("actor-0000003", "paid"))
    prune(store, "actor-0000003", 1)
    assert_lists_all(store, 5000)


def test_a_new_actor_that_has_lost_its_first_append_joins_the_list(any_nats_server, namespace):
    store = open_store(any_nats_server.url, namespace)
    store.save_event(Event("order-1", "placed"))
    assert names(store.get_actors()) == ["order-1"]
    for _ in range(2):
        store.save_event(Event("order-2", "placed"))
    prune(store, "order-2", 1)
    assert names(store.get_actors()) == ["order-1", "order-2"]


def test_the_latest_written_to_come_first(any_nats_server, namespace):
    store = open_store(any_nats_server.url, namespace)
    for number in (1, 2, 3, 1, 4, 1, 2):
        store.save_event(Event(f"order-{number}", "placed"))
    newest_first = ["order-2", "order-1", "order-4", "order-3"]
    assert names(store.get_actors(order_by="-last_position")) == newest_first
    assert names(store.get_actors(order_by="last_position")) == newest_first[::-1]
    assert names(store.get_actors(order_by="-last_position", search="-4")) == ["order-4"]
    page = store.get_actors(order_by="-last_position", limit=2)
    assert names(page) == newest_first[:2]
    # What is written to meanwhile is at the top by now, and the rest where it was.
    store.save_event(Event("order-3", "placed"))
    page = store.get_actors(order_by="-last_position", limit=2, cursor=page.next_cursor)
    assert names(page) == ["order-4"]
    assert names(store.get_actors(order_by="-last_position")) == [
        "order-3",
        "order-2",
        "order-1",
        "order-4",
    ]


def test_an_actor_is_where_its_newest_event_is_whatever_strangers_write(any_nats_server, namespace):
    url = any_nats_server.url
    store = open_store(url, namespace)
    for number in (1, 2, 3):
        store.save_event(Event(f"order-{number}", "placed"))
    publish(url, next_subject(store, "order-1"), b"{")  # no event
    publish(url, f"{store.stream_name}.events.order-1.99", b"{}")  # and not in its place
    publish(url, next_subject(store, "nobody"), b"{")  # an actor without events
    document = json.dumps({"id": "id-2", "event_type": "paid", "version": 7}).encode()
    publish(url, next_subject(store, "order-2"), document)
    expected = ["order-2", "order-3", "order-1"]
    assert names(store.get_actors(order_by="-last_position")) == expected
    assert names(store.get_actors(order_by="last_position")) == expected[::-1]
    for order_by, ordered in (("-last_position", expected), ("last_position", expected[::-1])):
        found, cursor = [], None
        while True:
            page = store.get_actors(order_by=order_by, limit=1, cursor=cursor)
            found += names(page)
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == ordered, order_by
    newest = store.get_actors(order_by="-last_position", limit=1)[0]
    assert store.get_event(newest.last_position).id == "id-2"


def test_a_busy_actor_hides_none_of_the_others(nats_server, namespace):
    store = open_store(nats_server.url, namespace)
    for number in (1, 2, 3):
        store.save_event(Event(f"order-{number}", "placed"))
    for _ in range(700):  # many pages of the stream
        store.save_event(Event("busy", "beat"))
    assert names(store.get_actors(order_by="-last_position")) == [
        "busy",
        "order-3",
        "order-2",
        "order-1",
    ]
    found, shares, cursor = [], [], None
    while True:
        page = store.get_actors(order_by="-last_position", limit=2, cursor=cursor, time_limit=1e-6)
        found += names(page)
        shares.append(page.coverage)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == ["busy", "order-3", "order-2", "order-1"]
    assert min(shares) < 1 == shares[-1]


def test_an_estimate_is_near_the_truth(nats_server, namespace):
    store = open_store(nats_server.url, namespace)
    store.setup()
    publish_many(nats_server.url, first_appends(store, range(6000)))
    statistics = store.get_statistics()
    assert statistics.estimated
    assert statistics.actor_count == 6000
    assert statistics.event_count == pytest.approx(6000, rel=0.1)


def test_all_events_are_counted_whoever_wrote_them(any_nats_server, namespace):
    url = any_nats_server.url
    store = open_store(url, namespace)
    store.save_events([Event("order-1", "placed") for _ in range(30)])
    publish_many(url, first_appends(store, range(6000)))  # more than a page
    publish(url, next_subject(store, "order-1"), b"{")
    store.save_events([Event("order-2", "placed") for _ in range(5)])
    for number in range(5001):
        store.save_event(Event(f"own-{number % 50}", "placed"))
    publish(url, f"{store.stream_name}.events.order-1.99", b"{}")
    assert store.count_events() == 30 + 6000 + 1 + 5 + 5001 + 1
    assert consumers(store) == []


def test_namespaces_are_listed_at_once_over_one_connection(nats_server, namespace, monkeypatch):
    many = 10_000
    stores = [open_store(nats_server.url, f"{namespace}-{number}") for number in range(3)]
    for store in stores:
        store.setup()
        publish_many(nats_server.url, first_appends(store, range(many)))
    monkeypatch.setattr(header_reader, "PAGE", 20)  # so many that they meet at every step
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


@contextmanager
def listing(store, **arguments):
    """Has the store list its actors while the block runs; gives the future page."""
    with ThreadPoolExecutor(1) as pool:
        page = pool.submit(store.get_actors, **arguments)
        while not consumers(store) and not page.done():
            continue
        yield page


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


def test_a_list_is_complete_though_a_first_append_is_removed_meanwhile(nats_server, namespace):
    store = open_store(nats_server.url, namespace)
    store.setup()
    publish_many(nats_server.url, first_appends(store, range(MANY)))
    for _ in range(2):
        store.save_event(Event("late", "placed"))
    with listing(store, search="late") as page:
        prune(store, "late", 1)
    assert names(page.result()) == ["late"]
    assert names(store.get_actors(search="late")) == ["late"]


def test_what_is_gone_is_looked_at_no_longer_than_the_time_limit(nats_server, namespace):
    many = 10_000
    store = open_store(nats_server.url, namespace)
    store.setup()
    publish_many(nats_server.url, first_appends(store, range(many)))
    assert_lists_all(store, many)
    purge(nats_server.url, store.stream_name, ">")
    store.save_event(Event("order-1", "placed"))
    shares = []
    while (page := store.get_actors(limit=900, time_limit=1e-6)).coverage < 1:
        assert names(page) == []
        assert page.next_cursor is None
        shares.append(page.coverage)
    assert len(shares) >= many // 1000
    assert names(page) == ["order-1"]


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


@pytest.mark.parametrize("order_by", ["last_position", "-last_position"])
def test_a_list_is_complete_while_its_actors_are_written_to(any_nats_server, namespace, order_by):
    store = open_store(any_nats_server.url, namespace)
    expected = [f"order-{number:02d}" for number in range(40)]
    for name in expected * 2:
        store.save_event(Event(name, "placed"))
    over = Flag()

    def write():
        while not over.is_set():
            store.save_event(Event(random.choice(expected), "paid"))

    with ThreadPoolExecutor(2) as pool:
        writing = [pool.submit(write) for _ in range(2)]
        try:
            pages = [store.get_actors(order_by=order_by) for _ in range(20)]
        finally:
            over.set()
    for each in writing:
        each.result()
    for page in pages:
        assert sorted(names(page)) == expected
        positions = [actor.last_position for actor in page]
        assert positions == sorted(positions, reverse=order_by.startswith("-"))
        for actor in page:
            assert actor.event_count == actor.latest_version
