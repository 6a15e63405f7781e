"""Actors in the order of their newest events."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag

import pytest

from django_eventstore import Event
from tests.backends.jetstream.listing.actors import names
from tests.support.jetstream import next_subject, open_store, publish


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
