"""What the processes do that the tests start: write while the server fails."""

from __future__ import annotations

import os
from pathlib import Path

from django_eventstore import Event, Snapshot, StoreUnavailableError, VersionConflictError
from tests.support.jetstream import open_store

SHARED = "shared"


def write_until(url, stop, name):
    """Append to an actor of our own and to a shared one until the file `stop` is there.

    Whatever is not acknowledged is saved again, as an application would. Returns the ids of the
    acknowledged events by actor, in order.
    """
    store = open_store(url, timeout=2.0)
    saved = {name: [], SHARED: []}
    number = 0
    while not Path(stop).exists():
        number += 1
        for actor_id in (name, SHARED):
            event = Event(actor_id, "counted", {"by": name, "n": number})
            again = True
            while again:
                try:
                    store.save_event(event)
                    again = False
                except StoreUnavailableError:
                    again = True
            saved[actor_id].append(event.id)
    return saved


def share(url, name):
    """Append at any version, and at the version seen; return the ids that were stored."""
    store = open_store(url, "shared-actors")
    saved = {"any": [], "expected": []}
    for number in range(20):
        saved["any"].append(store.save_event(Event("any", name, {"n": number})).id)
        seen = store.get_latest_version("expected")
        try:
            event = store.save_event(Event("expected", name), expected_version=seen)
        except VersionConflictError:
            continue
        saved["expected"].append(event.id)
    return saved


def use_after_fork(url, namespace, options):
    """Save before and after forks, in parent and children; return how the children ended."""
    store = open_store(url, namespace, **options)
    store.save_event(Event("parent", "counted"))
    store.save_snapshot(Snapshot("parent", 1, "parent"))
    kept = Event("kept", "counted")
    pids = []
    for number in range(3):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                store.save_event(Event("parent", "counted"))
                store.save_event(Event(f"child-{number}", "counted"))
                store.save_event(kept)
                status = 0
            finally:
                os._exit(status)
        pids.append(pid)
    store.save_event(Event("parent", "counted"))
    store.save_event(kept)
    pids.append(os.fork())
    if pids[-1] == 0:
        status = 1
        try:
            store.save_snapshot(Snapshot("parent", 2, "child"))
            status = 0
        finally:
            os._exit(status)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
