"""Forwarders and servers are killed at random points under load; every event arrives once."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.test import override_settings

from django_eventstore import event_stores
from django_eventstore.maintenance.forwarding import Forwarder
from django_eventstore.projections import ProjectionWorker
from tests.servers import NatsServer
from tests.servers.process import wait_until
from tests.support.children import Child
from tests.support.projections.figures import agree, contents
from tests.support.projections.killing import KILLS, Killer, load, with_stream
from tests.support.projections.projections import make_counting
from tests.support.projections.workers import FORWARDER_LEASE, keep_forwarders


@pytest.mark.slow
@pytest.mark.django_db(databases=["default", "postgres"], transaction=True)
def test_forwarders_are_killed_and_replaced(nats_server):
    """Two forwarders at a time, by mistake; twenty times the one at work is killed."""
    stores = with_stream(nats_server)
    with override_settings(EVENT_STORES=stores):
        source, target = event_stores["postgres"], event_stores["stream"]
        with load(source):
            keeper = Child(keep_forwarders, 2, "postgres", "stream", stores)
            try:
                wait_until(target.count_events, "events arrive")
                killer = Killer("postgres")
                while len(killer.killed) < KILLS:
                    sent = target.count_events()
                    if random.random() < 0.7:  # else perhaps before it could send anything
                        wait_until(lambda: target.count_events() > sent, "events arrive")  # noqa: B023
                    time.sleep(random.uniform(0, 0.05))
                    killer.kill_one()
            finally:
                keeper.kill()
        Forwarder(source, target, lease=FORWARDER_LEASE).run()
        assert contents(target) == contents(source)


@pytest.mark.django_db(databases=["default", "postgres"], transaction=True)
def test_the_server_is_killed_and_started_again():
    """What reads it and what writes to it goes on: a forwarder, and a projection of its target."""
    with NatsServer() as server, override_settings(EVENT_STORES=with_stream(server)):
        source, target = event_stores["postgres"], event_stores["stream"]
        counting = make_counting("postgres", name="of-the-stream", store="stream")()
        stop = threading.Event()
        runs = [
            Forwarder(source, target, follow=True, stop=stop).run,
            ProjectionWorker(counting, stop=stop).run,
        ]
        with load(source), ThreadPoolExecutor() as pool:
            running = [pool.submit(in_thread, run) for run in runs]
            try:
                for _ in range(KILLS):
                    sent = target.count_events()
                    wait_until(lambda: target.count_events() > sent, "events arrive")  # noqa: B023
                    time.sleep(random.uniform(0, 0.1))
                    server.kill()
                    server.start()
            finally:
                stop.set()
        assert [run.result() > 0 for run in running] == [True, True]
        Forwarder(source, target).run()
        ProjectionWorker(counting, once=True).run()
        assert contents(target) == contents(source)
        agree("postgres", target)


def in_thread(run):
    try:
        return run()
    finally:
        connections.close_all()
