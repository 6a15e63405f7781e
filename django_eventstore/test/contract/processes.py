"""What the writers of the concurrency tests do; run in child processes too."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ...events import Event
from ...exceptions import VersionConflictError
from ...store import EventStore

_barrier: Any = None


def start(environment: Mapping[str, str], barrier: Any) -> None:
    """Set Django up in a child process."""
    global _barrier  # noqa: PLW0603 - how a pool hands something to its processes
    _barrier = barrier
    os.environ.update(environment)
    import django

    django.setup()


def run(
    work: Callable[..., Any], factory: str, namespace: str, number: int, arguments: tuple[Any, ...]
) -> Any:
    """Open the store in this child process, wait for the others, and work."""
    from django.utils.module_loading import import_string

    store = import_string(factory)(namespace)
    _barrier.wait()
    try:
        return work(store, number, *arguments)
    finally:
        store.close()


def compete(store: EventStore, count: int, actor_id: str) -> list[tuple[int, str]]:
    """Save ``count`` events, each at the latest version; on a conflict ask for it again.

    Returns:
        Version and id of each event that was acknowledged.
    """
    acknowledged: list[tuple[int, str]] = []
    while len(acknowledged) < count:
        latest = store.get_latest_version(actor_id)
        event = Event(actor_id, "placed", {"n": latest})
        try:
            saved = store.save_event(event, expected_version=latest)
        except VersionConflictError:
            continue
        assert saved.version == latest + 1
        acknowledged.append((saved.version, saved.id))
    return acknowledged


def append(store: EventStore, count: int, actor_id: str) -> list[tuple[int, str]]:
    """Save ``count`` events at whatever version is next; that never conflicts."""
    acknowledged = []
    for number in range(count):
        saved = store.save_event(Event(actor_id, "placed", {"n": number}))
        assert saved.version is not None
        acknowledged.append((saved.version, saved.id))
    return acknowledged


def append_to_many(
    store: EventStore, number: int, rounds: int, actor_ids: list[str]
) -> list[tuple[str, int, str]]:
    """Save an event of each actor, in ``rounds`` rounds, beginning at actor ``number``."""
    start_at = number % len(actor_ids)
    acknowledged = []
    for _ in range(rounds):
        for actor_id in actor_ids[start_at:] + actor_ids[:start_at]:
            saved = store.save_event(Event(actor_id, "placed", {"writer": number}))
            assert saved.version is not None
            acknowledged.append((actor_id, saved.version, saved.id))
    return acknowledged


def write(
    store: EventStore, number: int, count: int, actor_ids: list[str]
) -> tuple[list[tuple[int, str]], list[tuple[str, int, str]]]:
    """Compete for the versions of one actor, then append to many; see those."""
    return compete(store, count, "order-1"), append_to_many(store, number, 3, actor_ids)
