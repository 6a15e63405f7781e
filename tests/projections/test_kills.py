"""Workers and servers are killed at random points under load; every event is applied once."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import contextmanager, suppress
from itertools import count

import pytest
from django.conf import settings
from django.db import connections
from django.test import override_settings

from django_eventstore import Event, event_stores
from django_eventstore.consumer_models import ConsumerWorker, ParkedEvent
from django_eventstore.forwarding import Forwarder
from django_eventstore.projections import ProjectionWorker, get_projection
from tests.children import Child

from .figures import agree, contents
from .workers import LEASE, keep_forwarders, keep_workers

KILLS = 20
ACTORS = 60


@contextmanager
def load(store, pause=0.02):
    """Save events in a thread inside the block; the rate leaves the workers something to do."""
    stop = threading.Event()

    def save():
        for n in count():
            if stop.is_set():
                break
            some = [Event(f"actor-{(n + k) % ACTORS}", "Counted", {"n": n}) for k in range(5)]
            store.save_events(some)
            stop.wait(pause)
        connections.close_all()

    thread = threading.Thread(target=save)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def wait_until(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def kill_one_of(alias):
    """Kill a worker that owns shards; those that hold them change all the time."""
    owners = ConsumerWorker.objects.using(alias).exclude(shards=None).distinct()
    name = random.choice(list(owners.values_list("name", flat=True)))
    with suppress(ProcessLookupError):  # killed before, and not yet missed
        os.kill(int(name.split(":")[1]), signal.SIGKILL)


@pytest.mark.django_db(databases=["default", "postgres"], transaction=True)
def test_workers_are_killed_and_replaced():
    """Four workers share the shards; twenty times one is killed and another added."""
    name, store = "counting-postgres", event_stores["postgres"]
    owners = ConsumerWorker.objects.using("postgres").exclude(shards=None).distinct()
    with load(store):
        keeper = Child(keep_workers, 4, name)
        try:
            wait_until(lambda: owners.count() >= 4, "four workers share the shards")
            for _ in range(KILLS):
                time.sleep(random.uniform(0.05, 0.5))
                kill_one_of("postgres")
        finally:
            keeper.kill()
    ProjectionWorker(get_projection(name), once=True, lease=LEASE).run()
    assert not ParkedEvent.objects.using("postgres").exists()
    agree("postgres")


@pytest.mark.django_db(databases=["default", "postgres"], transaction=True)
def test_forwarders_are_killed_and_replaced(nats_server):
    """Two forwarders at a time, by mistake; twenty times the one at work is killed."""
    stores = {
        **settings.EVENT_STORES,
        "stream": {
            "BACKEND": "django_eventstore.backends.jetstream.JetStreamEventStore",
            "OPTIONS": {"servers": [nats_server.url], "stream_name": "forwarded"},
        },
    }
    with override_settings(EVENT_STORES=stores):
        source, target = event_stores["postgres"], event_stores["stream"]
        with load(source):
            keeper = Child(keep_forwarders, 2, "postgres", "stream", stores)
            try:
                wait_until(target.count_events, "events arrive")
                for _ in range(KILLS):
                    time.sleep(random.uniform(0.02, 0.2))
                    kill_one_of("postgres")
            finally:
                keeper.kill()
        Forwarder(source, target, lease=LEASE).run()
        assert contents(target) == contents(source)
