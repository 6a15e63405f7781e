"""The move from the database to a cluster, step by step as docs/scaling.md has it."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from django_eventstore import Event, StoreUnavailableError, event_stores
from django_eventstore.maintenance.forwarding import Forwarder, forwarding_figures
from django_eventstore.projections import ProjectionWorker, get_projection
from django_eventstore.projections.rebuild import Rebuild
from tests.servers.process import wait_until
from tests.support.projections.figures import agree

WRITERS = 3


class Application:
    """Writers that never stop: each saves on and on to the store that is in use at the moment."""

    def __init__(self):
        self.alias = "postgres"
        self.acknowledged = []
        self.failures = []
        self._open = threading.Condition()
        self._writing = 0
        self._paused = False
        self._stop = threading.Event()

    def write(self, number):
        n = 0
        while not self._stop.is_set():
            with self._open:
                self._open.wait_for(lambda: not self._paused)
                self._writing += 1
            event = Event(f"actor-{number}-{n % 7}", "Counted", {"n": n})
            try:
                event_stores[self.alias].save_event(event)
                self.acknowledged.append(event.id)
            except Exception as error:
                self.failures.append(error)
            with self._open:
                self._writing -= 1
                self._open.notify_all()
            n += 1
            self._stop.wait(0.03)
        connections.close_all()

    @contextmanager
    def running(self):
        threads = [threading.Thread(target=self.write, args=(n,)) for n in range(WRITERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    @contextmanager
    def paused(self):
        """Let no writer begin inside the block, once those that had begun are done."""
        with self._open:
            self._paused = True
            self._open.wait_for(lambda: self._writing == 0)
        yield
        with self._open:
            self._paused = False
            self._open.notify_all()


def arrived(store):
    """Return how many events a store has; 0 while its servers elect a leader."""
    try:
        return store.count_events()
    except StoreUnavailableError:
        return 0


@contextmanager
def forwarding(source, target):
    stop = threading.Event()

    def run():
        Forwarder(source, target, follow=True, stop=stop).run()
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.timeout(240)  # elections in the cluster, beside other work
@pytest.mark.django_db(databases=["default", "postgres"], transaction=True)
def test_the_move_with_writers_running(nats_cluster, monkeypatch, capsys):
    stream = {
        "BACKEND": "django_eventstore.backends.jetstream.JetStreamEventStore",
        "OPTIONS": {"servers": nats_cluster.urls, "stream_name": "moved", "replicas": 3},
    }
    counting = get_projection("counting-postgres")
    application = Application()
    with override_settings(EVENT_STORES={**settings.EVENT_STORES, "stream": stream}):
        source, target = event_stores["postgres"], event_stores["stream"]
        with application.running():
            wait_until(lambda: len(application.acknowledged) > 50, "the application writes")
            ProjectionWorker(counting, once=True).run()
            # 1. The stream follows the database; a server may fail meanwhile.
            with forwarding(source, target):
                wait_until(lambda: arrived(target), "events arrive")
                before = arrived(target)
                failed = nats_cluster.kill_stream_leader("moved")
                wait_until(lambda: arrived(target) > before + 20, "it goes on without")
                failed.start()
                # 2. The new tables of the projections are built from the stream.
                monkeypatch.setattr(type(counting), "store", "stream")
                Rebuild(counting).run(swap=False)
            # 3. Writers pause for as long as the rest takes, and go on in the stream.
            with application.paused():
                Forwarder(source, target).run()
                assert forwarding_figures(source, target).lag == 0
                call_command("verify_events", "--store", "postgres", "--against", "stream")
                application.alias = "stream"
            # 4. The projections go on at the stream.
            moved = len(application.acknowledged)
            wait_until(lambda: len(application.acknowledged) > moved + 50, "writers go on")
            assert Rebuild(counting).run().swapped
    with override_settings(EVENT_STORES={**settings.EVENT_STORES, "stream": stream}):
        target = event_stores["stream"]
        ProjectionWorker(counting, once=True).run()
        agree("postgres", target)
        assert not application.failures
        assert {event.id for event in target.read_all()} == set(application.acknowledged)
        assert target.count_events() == len(application.acknowledged)
        Rebuild(counting).discard()
    nats_cluster.wait_until_healthy()
