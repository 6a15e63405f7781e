"""What the replays of these tests call, in processes of their own."""

from __future__ import annotations

import os
import time
from pathlib import Path

from django_eventstore import Event, event_stores
from django_eventstore.maintenance.replays.running import HandlingWorker
from django_eventstore.maintenance.replays.shared_runs import work_on
from tests.support.projections.projections import count

SLOW_WHILE = "REPLAY_SLOW_WHILE"
"""The environment variable that names a file; while it is there each event takes a while."""

ACTORS = 80
DISLIKED = 50  # every 50th event


def save_history(alias):
    """Save 4,000 events in a store, and return them."""
    saved = []
    for start in range(0, 4000, 500):
        saved += event_stores[alias].save_events(
            [
                Event(
                    f"actor-{n % ACTORS}", "Disliked" if n % DISLIKED == 0 else "Counted", {"n": n}
                )
                for n in range(start, start + 500)
            ]
        )
    return saved


class Refused(Exception):
    """An event that the handler does not like."""


def _take_a_while():
    if Path(os.environ[SLOW_WHILE]).exists():
        time.sleep(0.02)


def handle(event):
    """Count into rows, in order; for some events raise, after writing a row."""
    _take_a_while()
    count(event, "postgres")
    if event.event_type == "Disliked":
        raise Refused(f"no {event.data['n']}")


def work_on_handling(pk, alias, lease):
    """Be one of the workers of a run."""
    work_on(HandlingWorker, pk, alias, lease)


def refuse(event):
    """Raise with a text that no database holds as it is."""
    raise Refused(f"\0 \ud800 {event.data['n']}")


def total(state, event):
    """The fold of an actor."""
    return {"sum": state["sum"] + event.data["n"]}


def total_but_for_some(state, event):
    """Another fold, slow, with another state for actors that have a disliked event."""
    _take_a_while()
    return state if event.event_type == "Disliked" else total(state, event)
