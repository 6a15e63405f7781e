"""Actors whose first append, or all of them, were removed."""

from __future__ import annotations

from django_eventstore import Event
from tests.backends.jetstream.listing.actors import (
    MANY,
    assert_lists_all,
    first_appends,
    listing,
    names,
    prune,
)
from tests.support.jetstream import open_store, publish_many, purge


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
