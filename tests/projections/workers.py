"""What the child processes of these tests run."""

from __future__ import annotations

import os
from datetime import timedelta

from django.test import override_settings

from django_eventstore import event_stores
from django_eventstore.forwarding import Forwarder
from django_eventstore.projections import ProjectionWorker, get_projection

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
