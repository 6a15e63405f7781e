"""What the child processes of these tests run."""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from datetime import timedelta
from itertools import count as numbers
from pathlib import Path

from django.core.management import call_command
from django.test import override_settings

from django_eventstore import Event, event_stores
from django_eventstore.exceptions import StoreUnavailableError
from django_eventstore.maintenance.forwarding import Forwarder
from django_eventstore.projections import ProjectionWorker, get_projection, running
from tests.support.projections.figures import agree, contents

LEASE = timedelta(seconds=0.5)
FORWARDER_LEASE = timedelta(seconds=0.25)


class Orphaned:
    """Set when the process that made this object is gone."""

    def __init__(self):
        self.parent = os.getpid()

    def is_set(self):
        return os.getppid() != self.parent


def work(name, **options):
    """Work on a projection until told to stop."""
    return ProjectionWorker(get_projection(name), lease=LEASE, **options).run()


def keep_workers(count, name):
    """Keep `count` workers on a projection running."""
    keep_running(count, work, name)


def keep_running(count, function, *arguments):
    """Keep so many processes that run `function`: fork another for each that is killed.

    A fork is there at once, where a new interpreter would take most of a test's time.
    """
    orphaned = Orphaned()
    running = set()
    while True:
        while len(running) < count:
            pid = os.fork()
            if pid == 0:
                try:
                    function(*arguments, stop=orphaned)
                finally:
                    os._exit(0)
            running.add(pid)
        running.discard(os.wait()[0])


def keep_forwarders(count, source, target, stores):
    """Keep `count` forwarders between two stores running."""
    keep_running(count, forward, source, target, stores)


def forward(source, target, stores, *, stop):
    """Forward until told to stop."""
    with override_settings(EVENT_STORES=stores):
        Forwarder(
            event_stores[source],
            event_stores[target],
            follow=True,
            stop=stop,
            lease=FORWARDER_LEASE,
        ).run()


# -- on a server of the test's own


class Made:
    """Set when somebody has made the file."""

    def __init__(self, path):
        self.path = Path(path)

    def is_set(self):
        return self.path.exists()


def make_tables(alias):
    """Make all tables in an empty database."""
    call_command("migrate", database=alias, run_syncdb=True, verbosity=0)


def save_until(path, alias):
    """Save events until the file is there; the same again, while it is not known if they are."""
    stop, store, saved = Made(path), event_stores[alias], 0
    for n in numbers():
        some = [Event(f"actor-{(n + k) % 60}", "Counted", {"n": n}) for k in range(5)]
        while not stop.is_set():
            with suppress(StoreUnavailableError):
                saved += len(store.save_events(some))
                break
            time.sleep(0.01)
        if stop.is_set():
            break
        time.sleep(0.01)
    return saved


def work_until(path, name):
    """Work on a projection until the file is there, as the command does."""
    return running.work([name], stop=Made(path), lease=LEASE)


def work_and_tell(path, name, waits):
    """Do the same; make the file `waits` when the log says that it cannot start yet."""
    logging.getLogger("django_eventstore").addHandler(Telling(waits))
    return work_until(path, name)


class Telling(logging.Handler):
    """Makes a file when the log says that a worker cannot start yet."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def emit(self, record):
        if "cannot start, and tries again" in record.getMessage():
            self.path.touch()


def forward_until(path, source, target, stores):
    """Forward until the file is there."""
    forward(source, target, stores, stop=Made(path))


def finish_and_compare(name, alias, target, stores):
    """Catch up, and assert that projection and target agree with the store; return its length."""
    with override_settings(EVENT_STORES=stores):
        work(name, once=True)
        Forwarder(event_stores[alias], event_stores[target], lease=FORWARDER_LEASE).run()
        agree(alias)
        assert contents(event_stores[target]) == contents(event_stores[alias])
        return event_stores[alias].count_events()
