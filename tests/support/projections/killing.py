"""Load, and who kills workers under it."""

from __future__ import annotations

import os
import random
import signal
import threading
from contextlib import contextmanager
from itertools import count
from uuid import uuid4

from django.conf import settings
from django.db import connections

from django_eventstore import Event
from django_eventstore.models import ConsumerWorker
from tests.servers.process import wait_until

KILLS = 20
ACTORS = 60


@contextmanager
def load(store, pause=0.05):
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


class Killer:
    """Kills workers that own shards, each once; those that hold them change all the time."""

    def __init__(self, alias):
        self.owners = ConsumerWorker.objects.using(alias).exclude(shards=None).distinct()
        self.killed = set()

    def alive(self):
        return set(self.owners.values_list("name", flat=True)) - self.killed

    def kill_one(self):
        wait_until(self.alive, "a worker owns shards")
        name = random.choice(sorted(self.alive()) or [None])
        if name is not None:
            self.killed.add(name)
            os.kill(int(name.split(":")[1]), signal.SIGKILL)


def with_stream(server):
    """Return EVENT_STORES with a JetStream store on ``server``."""
    stream = {
        "BACKEND": "django_eventstore.backends.jetstream.JetStreamEventStore",
        "OPTIONS": {"servers": [server.url], "stream_name": f"s{uuid4().hex}"},
    }
    return {**settings.EVENT_STORES, "stream": stream}
