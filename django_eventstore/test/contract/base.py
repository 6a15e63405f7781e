"""What a subclass of the contract provides, and what its tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any
from unittest import SkipTest, TestCase
from uuid import uuid4

import orjson
from asgiref.sync import async_to_sync, sync_to_async

from ...events import Event, ReplayError
from ...store import EventStore

raises = TestCase().assertRaises
"""``with raises(SomeError) as caught: ...``, then ``caught.exception``; under any runner."""


class ContractBase:
    """The hooks of the contract.

    Each test works in a namespace of its own, so the store need not be empty, nor be emptied
    between tests.
    """

    shared_between_processes: bool = True
    """Whether other processes see the events. False skips the tests with child processes."""

    process_store: str = ""
    """The dotted path, for child processes, of a function ``(namespace) -> EventStore`` that opens
    the store that ``make_store()`` does. Django is set up before it is imported."""

    malformed: tuple[bytes, ...] = (b'{"total": ', b"[1, 2]", b"7")
    """What the tests give to inject_malformed()."""

    def make_store(self, namespace: str | Callable[[], str] = "", **options: Any) -> EventStore:
        """Return a new store object on the data that the other store objects of this test use.

        Args:
            namespace: the store's namespace.
            **options: fields of ``StoreOptions`` that the test needs to be otherwise.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a make_store()")

    def process_environment(self) -> dict[str, str]:
        """Return the environment variables with which a child process is to be started."""
        return {}

    def inject_malformed(self, store: EventStore, actor_id: str, raw: bytes) -> int | None:
        """Put ``raw`` where the actor's next event would stand, behind the store's back.

        Optional: the tests of malformed events are skipped without it.

        Returns:
            The version that the malformed event takes, or None where that cannot be told.
        """
        raise SkipTest(f"{type(self).__name__} has no inject_malformed()")

    def inject_malformed_snapshot(
        self, store: EventStore, actor_id: str, version: int, raw: bytes
    ) -> None:
        """Put ``raw`` where the state of a snapshot at ``version`` would stand. Optional."""
        raise SkipTest(f"{type(self).__name__} has no inject_malformed_snapshot()")

    # -- for the tests

    @cached_property
    def namespace(self) -> str:
        """The namespace of this test."""
        return f"contract-{uuid4().hex[:16]}"

    @cached_property
    def store(self) -> Any:
        """A store in this test's namespace."""
        return self.open()

    def open(self, namespace: str | Callable[[], str] | None = None, **options: Any) -> Any:
        """Return another store object, by default in this test's namespace."""
        return self.make_store(self.namespace if namespace is None else namespace, **options)

    def inject(self, actor_id: str, raw: bytes) -> int | None:
        """See inject_malformed()."""
        return self.inject_malformed(self.make_store(self.namespace), actor_id, raw)


class Twins:
    """A store whose methods call their asynchronous twins, each in an event loop of its own."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        twin = getattr(self._store, f"a{name}", None)
        if twin is None:
            return getattr(self._store, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            return async_to_sync(_finish)(twin(*args, **kwargs))

        return call

    def update(
        self, actor_id: str, decide: Callable[[Any], Any], *args: Any, **kwargs: Any
    ) -> list[Event]:
        """Call aupdate(); ``decide`` may use the store, as it may with update()."""
        updated = self._store.aupdate(actor_id, sync_to_async(decide), *args, **kwargs)
        saved: list[Event] = async_to_sync(_finish)(updated)
        return saved

    def with_namespace(self, name: str) -> Twins:
        """Return the twins of the store in another namespace."""
        return Twins(self._store.with_namespace(name))


async def _finish(result: Any) -> Any:
    if isinstance(result, AsyncIterator):
        return iter([item async for item in result])
    return await result


def make_events(
    count: int, actor_id: str = "order-1", event_type: str = "item added"
) -> list[Event]:
    """Return ``count`` new events, numbered from 1 in their data."""
    return [Event(actor_id, event_type, {"n": number}) for number in range(1, count + 1)]


def numbers(events: Iterator[Event] | list[Event]) -> list[int]:
    """Return the numbers that make_events() put in the events' data."""
    return [event.data["n"] for event in events]


def add(state: list[int], event: Event) -> list[int]:
    """Fold: collect the numbers that make_events() put in, changing the state in place."""
    state.append(event.data["n"])
    return state


def check_ascending(items: Sequence[Event | ReplayError]) -> None:
    """Assert that each position is a positive 63-bit integer, and above the one before."""
    last = 0
    for item in items:
        assert type(item.position) is int
        assert last < item.position < 2**63
        last = item.position


def as_json(value: Any) -> bytes:
    """Return JSON text, which tells 1 from 1.0 and True, 0.0 from -0.0, and the order of keys."""
    return orjson.dumps(value)


def check_stored(stored: Event, given: Event) -> None:
    """Assert that ``stored`` is ``given`` with a version and a position, to the last bit."""
    assert stored.version is not None
    assert stored.position is not None
    assert stored == replace(given, version=stored.version, position=stored.position)
    assert as_json(stored.data) == as_json(given.data)
    assert list(stored.metadata.items()) == list(given.metadata.items())
    assert stored.timestamp.utcoffset() is not None
    assert not stored.timestamp.utcoffset()
