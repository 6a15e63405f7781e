"""The projection that counts, and events for it; it can be made to fail."""

from __future__ import annotations

import pytest

from django_eventstore import Event, event_stores
from django_eventstore.projections import ProjectionWorker, get_projection


def save(alias, count, actors=7):
    store = event_stores[alias]
    return [
        store.save_event(Event(f"actor-{n % actors}", "Counted", {"n": n})) for n in range(count)
    ]


def run(projection, **options):
    from .workers import LEASE

    return ProjectionWorker(projection, once=True, lease=LEASE, **options).run()


@pytest.fixture
def counting():
    return get_projection("counting-default")


class Poison(set):
    attempts: list


@pytest.fixture
def poisoned(counting, monkeypatch):
    """Let the projection fail for these values of ``n``, which it tries again twice."""
    from .projections import count

    found = Poison()
    found.attempts = []

    def apply(self, event):
        count(event, "default")
        found.attempts.append(event.data["n"])
        if event.data["n"] in found:
            raise ValueError(f"cannot apply {event.data['n']}")

    monkeypatch.setattr(type(counting), "apply", apply)
    monkeypatch.setattr(type(counting), "retries", 2)
    return found
