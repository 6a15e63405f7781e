"""The signal event_saved, and taking part in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import SkipTest

from django.db import transaction

from ...events import Event
from ...exceptions import DuplicateEventError, VersionConflictError
from ...signals import event_saved
from .base import ContractBase, make_events, raises


@contextmanager
def received(signal: Any) -> Iterator[list[dict[str, Any]]]:
    """Collect what ``signal`` sends."""
    got: list[dict[str, Any]] = []

    def receive(**kwargs: Any) -> None:
        got.append(kwargs)

    signal.connect(receive)
    try:
        yield got
    finally:
        signal.disconnect(receive)


class Signals(ContractBase):
    """event_saved: once for each stored event, after it is durable."""

    def test_each_saved_event_is_announced_once(self) -> None:
        with received(event_saved) as got:
            first = self.store.save_event(Event("order-1", "placed", {"n": [1]}))
            batch = self.store.save_events(make_events(3))
            self.store.save_events([])
        assert [sent["event"] for sent in got] == [first, *batch]
        assert {sent["namespace"] for sent in got} == {self.namespace}
        assert all(sent["sender"] is type(sent["store"]) for sent in got)
        assert all(sent["store"].alias == self.store.alias for sent in got)

    def test_nothing_is_announced_that_was_not_stored(self) -> None:
        first = self.store.save_event(Event("order-1", "placed"))
        with received(event_saved) as got:
            with raises(VersionConflictError):
                self.store.save_event(Event("order-1", "placed"), expected_version=0)
            with raises(DuplicateEventError):
                self.store.save_event(Event("order-1", "paid", id=first.id))
            self.store.save_event(first)
        assert got == []

    def test_a_receiver_that_fails_changes_nothing_for_the_caller(self) -> None:
        def fail(**kwargs: Any) -> None:
            raise RuntimeError("no luck")

        event_saved.connect(fail)
        try:
            with received(event_saved) as got:
                saved = self.store.save_event(Event("order-1", "placed"))
        finally:
            event_saved.disconnect(fail)
        assert self.store.get_events("order-1") == [saved]
        assert [sent["event"] for sent in got] == [saved]

    def test_a_receiver_may_save(self) -> None:
        def echo(event: Event, store: Any, **kwargs: Any) -> None:
            if event.actor_id == "order-1":
                store.save_event(Event("echo", event.event_type).caused_by(event))

        event_saved.connect(echo)
        try:
            saved = self.store.save_event(Event("order-1", "placed"))
        finally:
            event_saved.disconnect(echo)
        (event,) = self.store.get_events("echo")
        assert event.causation_id == saved.id


class Transactions(ContractBase):
    """A store with ``supports_transactions`` takes part in the caller's transaction."""

    def atomic(self) -> transaction.Atomic:
        """Return a transaction on the store's own database."""
        if not self.store.backend.supports_transactions:
            raise SkipTest("the store takes no part in transactions")
        atomic: transaction.Atomic = transaction.atomic(using=self.store.database)
        return atomic

    def test_what_is_rolled_back_was_never_there(self) -> None:
        with raises(RuntimeError), self.atomic():
            self.store.save_events(make_events(3))
            assert self.store.get_latest_version("order-1") == 3
            assert len(self.store.get_events("order-1")) == 3
            raise RuntimeError("roll back")
        assert self.store.count_events() == 0
        assert self.store.get_latest_version("order-1") == 0
        assert self.store.get_actors().actors == []
        assert self.store.save_event(Event("order-1", "placed"), expected_version=0).version == 1

    def test_what_is_committed_is_announced_then(self) -> None:
        with received(event_saved) as got:
            with self.atomic():
                data = {"n": [1]}
                saved = self.store.save_event(Event("order-1", "placed", data))
                data["n"].append(2)
                assert got == []
            assert [sent["event"] for sent in got] == [saved]
            assert got[0]["event"].data == {"n": [1]}
            with raises(RuntimeError), self.atomic():
                self.store.save_event(Event("order-1", "paid"))
                raise RuntimeError("roll back")
            assert len(got) == 1

    def test_a_refusal_does_not_spoil_the_transaction(self) -> None:
        stored = self.store.save_event(Event("order-1", "placed"))
        with self.atomic():
            first = self.store.save_event(Event("order-2", "placed"))
            with raises(VersionConflictError):
                self.store.save_event(Event("order-1", "paid"), expected_version=0)
            with raises(VersionConflictError):
                self.store.save_events(
                    [Event("order-1", "paid", version=2), Event("order-1", "sent", version=2)]
                )
            with raises(DuplicateEventError):
                self.store.save_event(Event("order-3", "placed", id=stored.id))
            with raises(DuplicateEventError):
                self.store.save_events([*make_events(2, "order-3"), Event("x", "y", id=stored.id)])
            assert self.store.save_event(stored) == stored
            assert self.store.save_event(first) == first
            second = self.store.save_event(Event("order-1", "paid"), expected_version=1)
        assert list(self.store.read_all()) == [stored, first, second]

    def test_rolling_back_to_a_savepoint(self) -> None:
        with self.atomic():
            kept = self.store.save_event(Event("order-1", "placed"))
            with raises(RuntimeError), self.atomic():
                self.store.save_event(Event("order-1", "paid"))
                raise RuntimeError("roll back")
            assert self.store.get_latest_version("order-1") == 1
            after = self.store.save_event(Event("order-1", "cancelled"), expected_version=1)
        assert self.store.get_events("order-1") == [kept, after]

    def test_reading_streams_inside_a_transaction(self) -> None:
        with self.atomic():
            self.store.save_events(make_events(20))
            for event in self.store.iter_events("order-1", to_version=5):
                self.store.save_event(Event("echo", "echo", {"n": event.version}))
            assert len(list(self.store.read_all())) == 25
