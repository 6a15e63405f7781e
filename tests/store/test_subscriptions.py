"""Subscriptions: everything once, in order, then what comes next, on every store."""

from __future__ import annotations

import asyncio
import threading
from itertools import islice
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from django_eventstore import Event, StoreUnavailableError, event_stores
from django_eventstore.backends.database import notifications
from django_eventstore.backends.jetstream import JetStreamEventStore
from django_eventstore.backends.memory import InMemoryEventStore, MemoryBackend
from django_eventstore.store.subscriptions import PAGE_SIZE
from tests.servers import NatsServer
from tests.support.database import ALL, on_each
from tests.support.memory import CorruptibleMemoryStore, corrupted


def make_events(count, actor="a", kind="Happened", start=1):
    return [Event(actor, kind, {"n": n}) for n in range(start, start + count)]


def take(subscription, count):
    return list(islice(subscription, count))


class Listener(threading.Thread):
    """Subscribes in a thread of its own and collects what comes, until ``stop``."""

    def __init__(self, store, **options):
        super().__init__(daemon=True)
        self.store = store
        self.options = options
        self.stop = threading.Event()
        self.heard = []
        self.changed = threading.Condition()

    def run(self):
        try:
            for event in self.store.subscribe(stop=self.stop, **self.options):
                with self.changed:
                    self.heard.append(event)
                    self.changed.notify_all()
        finally:
            connections.close_all()

    def has_heard(self, count, timeout):
        with self.changed:
            return self.changed.wait_for(lambda: len(self.heard) >= count, timeout)

    def wait_for(self, count, timeout=20):
        assert self.has_heard(count, timeout), f"heard {len(self.heard)} of {count}"
        return list(self.heard)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc_info):
        self.stop.set()
        self.join(10)
        assert not self.is_alive(), "the subscription did not end"


@pytest.fixture
def store():
    return InMemoryEventStore()


@pytest.fixture(
    params=["memory", *on_each(*ALL, transactions=True), "nats_server", "nats_server_oldest"]
)
def any_store(request):
    """A store of each kind, empty."""
    if request.param == "memory":
        yield InMemoryEventStore()
    elif request.param.startswith("nats"):
        server = request.getfixturevalue(request.param)
        yield jetstream_store(server, f"subscribed-{uuid4().hex}")
    else:
        yield event_stores[request.param]


def jetstream_store(server, name):
    return JetStreamEventStore(servers=[server.url], stream_name=name)


def test_it_catches_up_and_then_delivers_what_is_saved(any_store):
    store = any_store
    saved = store.save_events(make_events(PAGE_SIZE * 2 + 3))
    with Listener(store) as listener:
        assert listener.wait_for(len(saved)) == saved
        for n in range(5):
            saved += store.save_events(make_events(2, f"actor-{n}"))
        assert listener.wait_for(len(saved)) == saved


@pytest.mark.parametrize("any_store", ["postgres", "nats_server"], indirect=True)
@pytest.mark.django_db(databases=["postgres"], transaction=True)
def test_it_hears_of_new_events_without_looking(any_store, monkeypatch):
    """With no other read for a minute, only a notification can bring an event in time."""
    from django_eventstore.store import subscriptions

    store = any_store
    monkeypatch.setattr(subscriptions, "SHORTEST_PAUSE", 60.0)
    monkeypatch.setattr(type(store.backend.watch("")), "longest_pause", 60.0)
    saved = store.save_events(make_events(1))
    with Listener(store) as listener:
        listener.wait_for(1)
        for n in range(3):
            # A notification may come before what it tells of can be read (a NATS server sends it
            # on before the stream has stored it). Then the next one brings both.
            for again in range(5):
                # A process sends notifications at intervals: let the next one go out.
                notifications._last_sent.clear()
                saved += store.save_events(make_events(1, f"actor-{n}-{again}"))
                if listener.has_heard(len(saved), timeout=4):
                    break
            assert listener.wait_for(len(saved)) == saved


def test_it_survives_a_killed_server():
    """What was saved before and after comes, each once."""
    with NatsServer() as server:
        store = jetstream_store(server, "killed")
        saved = store.save_events(make_events(3))
        with Listener(store) as listener:
            listener.wait_for(3)
            server.kill()
            server.start()
            saved += store.save_events(make_events(2, "b"))
            assert listener.wait_for(5) == saved


def test_it_goes_on_behind_a_position(store):
    saved = store.save_events(make_events(5))
    with Listener(store, after=saved[2].position) as listener:
        assert listener.wait_for(2) == saved[3:]


def test_it_filters_by_type_while_catching_up_and_after(store):
    kinds = {"even": [], "odd": []}

    def save(count):
        for n in range(count):
            kind = "odd" if n % 2 else "even"
            kinds[kind].append(store.save_event(Event("a", kind)))

    save(50)
    with Listener(store, event_types=["odd"]) as listener:
        assert listener.wait_for(25) == kinds["odd"]
        save(PAGE_SIZE * 2 + 50)
        assert listener.wait_for(len(kinds["odd"])) == kinds["odd"]


def test_events_of_other_types_are_not_read_again_and_again(store, monkeypatch):
    """Idle, a subscription reads only what is new: not all that its filter left out."""
    store.save_events(make_events(50))
    reads = []
    read_store = MemoryBackend.read_store

    def count(self, namespace, selected):
        items = list(read_store(self, namespace, selected))
        reads.append(len(items))
        return iter(items)

    monkeypatch.setattr(MemoryBackend, "read_store", count)
    idle = threading.Event()
    with Listener(store, event_types=["Other"]) as listener:
        while len(reads) < 6:
            idle.wait(0.01)
        wanted = store.save_event(Event("b", "Other"))
        assert listener.wait_for(1) == [wanted]
    assert sum(reads) <= 50 + 1


def test_it_ends_when_told_to_even_in_the_middle_of_a_page(store):
    store.save_events(make_events(10))
    stop = threading.Event()
    heard = []
    for event in store.subscribe(stop=stop):
        heard.append(event.data["n"])
        if len(heard) == 3:
            stop.set()
    assert heard == [1, 2, 3]
    assert list(store.subscribe(stop=stop)) == []


def test_leaving_the_loop_releases_what_the_subscription_holds(store, monkeypatch):
    from django_eventstore.store.subscriptions import Watch

    closed = []

    def close(self):
        closed.append(self)

    monkeypatch.setattr(Watch, "close", close)
    store.save_events(make_events(2))
    subscription = store.subscribe()
    next(subscription)
    subscription.close()
    assert len(closed) == 1


def test_it_survives_a_store_that_cannot_be_reached_for_a_time(store, monkeypatch, caplog):
    saved = store.save_events(make_events(3))
    read_store = MemoryBackend.read_store
    failures = iter(range(3))

    def fail_after_the_first_event(self, namespace, selected):
        items = read_store(self, namespace, selected)
        if next(failures, None) is None:
            yield from items
        else:
            yield next(items)
            raise StoreUnavailableError("gone")

    monkeypatch.setattr(MemoryBackend, "read_store", fail_after_the_first_event)
    with Listener(store) as listener:
        assert listener.wait_for(3) == saved
    assert "lost its store" in caplog.text


def test_arguments_are_checked_at_once(store):
    with pytest.raises(ValueError, match="after"):
        store.subscribe(after="1")
    with pytest.raises(ValueError, match="event_types"):
        store.asubscribe(event_types="Happened")


def test_namespaces_are_apart(store):
    other = store.with_namespace("other")
    other.save_event(Event("a", "Elsewhere"))
    mine = store.save_event(Event("a", "Here"))
    assert take(store.subscribe(), 1) == [mine]


def test_the_asynchronous_twin(any_store):
    store = any_store

    async def run():
        stop = asyncio.Event()
        saved = await store.asave_events(make_events(PAGE_SIZE + 1))
        heard = []
        async for event in store.asubscribe(stop=stop):
            heard.append(event)
            if len(heard) == len(saved) == PAGE_SIZE + 1:
                saved += await store.asave_events(make_events(2, "b"))
            if len(heard) == PAGE_SIZE + 3:
                stop.set()
        await sync_to_async(connections.close_all)()
        return saved, heard

    saved, heard = asyncio.run(run())
    assert heard == saved


def test_malformed_events_are_passed(monkeypatch):
    """They are logged and sent as a signal, as by every read; the subscription goes on."""
    store = CorruptibleMemoryStore()
    saved = store.save_events(make_events(3))
    monkeypatch.setitem(corrupted, saved[2].id, b"?")
    with Listener(store) as listener:
        listener.wait_for(2)
        last = store.save_event(Event("b", "Happened"))
        assert listener.wait_for(3) == [*saved[:2], last]
