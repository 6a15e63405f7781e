"""Malformed events are never dropped in silence, and never stop anybody."""

from __future__ import annotations

from typing import Any
from unittest import TestCase

from ...events import Event, ReplayError
from ...signals import malformed_event_found
from .base import ContractBase, add, check_ascending, make_events, numbers
from .signalling import received

assert_logs = TestCase().assertLogs


def _raw(error: ReplayError) -> bytes:
    return error.raw if isinstance(error.raw, bytes) else error.raw.encode()


class Malformed(ContractBase):
    """What is stored and is no event; put there by inject_malformed()."""

    def save_with_malformed(self) -> list[tuple[bytes, int | None]]:
        """Save events 1 to 3, malformed ones, and 4 and 5; return the malformed ones."""
        self.store.save_events(make_events(3))
        injected = [(raw, self.inject("order-1", raw)) for raw in self.malformed]
        self.store.save_events([Event("order-1", "item added", {"n": n}) for n in (4, 5)])
        return injected

    def check_errors(self, errors: list[ReplayError]) -> None:
        """Assert that each malformed event is among ``errors``, once, with what is known."""
        assert len(errors) == len(self.malformed)
        for raw, error in zip(self.malformed, errors, strict=True):
            assert isinstance(error, ReplayError)
            assert raw in _raw(error)
            assert isinstance(error.position, int)
            assert isinstance(error.error, Exception)
            assert error.actor_id == "order-1"
            assert str(error.position) in str(error)
        check_ascending(errors)

    def test_reading_leaves_them_out_and_says_so(self) -> None:
        self.save_with_malformed()
        for read in (
            lambda: self.store.get_events("order-1"),
            lambda: list(self.store.iter_events("order-1")),
            lambda: list(self.store.read_all()),
            lambda: list(self.store.read_all(actor_id="order-1")),
            lambda: self.store.get_events("order-1", reverse=True)[::-1],
        ):
            with (
                received(malformed_event_found) as got,
                assert_logs("django_eventstore", "WARNING") as logged,
            ):
                assert numbers(read()) == [1, 2, 3, 4, 5]
            assert len(logged.records) == len(self.malformed)
            errors = sorted((sent["error"] for sent in got), key=lambda error: error.position)
            self.check_errors(errors)
            assert {sent["namespace"] for sent in got} == {self.namespace}

    def test_reading_with_errors_leaves_nothing_out(self) -> None:
        self.save_with_malformed()
        result = self.store.get_events_with_errors("order-1")
        assert numbers(result.events) == [1, 2, 3, 4, 5]
        self.check_errors(result.errors)

    def test_errors_stand_in_their_place(self) -> None:
        self.save_with_malformed()
        for items in (
            list(self.store.read_all_with_errors()),
            list(self.store.iter_events_with_errors("order-1")),
        ):
            numbered = [item.data["n"] if isinstance(item, Event) else None for item in items]
            assert numbered == [1, 2, 3, *[None] * len(self.malformed), 4, 5]
            self.check_errors([item for item in items if isinstance(item, ReplayError)])
            check_ascending(items)

    def test_a_limit_counts_the_events_that_can_be_read(self) -> None:
        self.save_with_malformed()
        assert numbers(self.store.get_events("order-1", limit=4)) == [1, 2, 3, 4]
        assert numbers(self.store.read_all(limit=4)) == [1, 2, 3, 4]
        assert numbers(self.store.get_events("order-1", limit=3, reverse=True)) == [5, 4, 3]

    def test_a_reader_gets_past_them_from_any_checkpoint(self) -> None:
        self.save_with_malformed()
        items = list(self.store.read_all_with_errors())
        for index, item in enumerate(items):
            rest = list(self.store.read_all_with_errors(after=item.position))
            assert [each.position for each in rest] == [
                each.position for each in items[index + 1 :]
            ]

    def test_the_latest_version_counts_what_can_be_told(self) -> None:
        self.store.save_events(make_events(3))
        for raw in self.malformed:
            version = self.inject("order-1", raw)
            latest = self.store.get_latest_version("order-1")
            assert latest == self.open().get_latest_version("order-1")
            assert latest >= 3
            if version is not None:
                assert latest == version

    def test_the_next_append_works(self) -> None:
        self.store.save_events(make_events(3))
        other = self.open()
        assert other.get_latest_version("order-1") == 3
        for number, raw in enumerate(self.malformed, start=4):
            self.inject("order-1", raw)
            latest = self.store.get_latest_version("order-1")
            store = self.store if number % 2 else other
            saved = store.save_event(Event("order-1", "item added", {"n": number}))
            assert saved.version > latest
            expected = saved.version
            after = other.save_event(
                Event("order-1", "item added", {"n": number}), expected_version=expected
            )
            assert after.version > expected

    def test_a_replay_carries_them(self) -> None:
        self.save_with_malformed()
        replayed = self.store.replay("order-1", add, [])
        assert replayed.state == [1, 2, 3, 4, 5]
        assert replayed.events_applied == 5
        self.check_errors(replayed.errors)
        assert replayed.version == self.store.get_latest_version("order-1")

    def test_updating_works_behind_one(self) -> None:
        self.store.save_events(make_events(2))
        self.inject("order-1", self.malformed[0])
        seen: list[list[int]] = []

        def decide(state: list[int]) -> Event:
            seen.append(state)
            if len(seen) == 1:
                self.open().save_event(Event("order-1", "item added", {"n": 3}))
                self.inject("order-1", self.malformed[0])
            return Event("order-1", "item added", {"n": 4})

        self.store.update("order-1", decide, add, [])
        # Decided twice, and no event folded twice.
        assert seen == [[1, 2], [1, 2, 3]]
        assert numbers(self.store.get_events("order-1")) == [1, 2, 3, 4]

    def test_an_actor_with_nothing_but_a_malformed_event(self) -> None:
        self.inject("order-1", self.malformed[0])
        assert self.store.get_events("order-1") == []
        assert len(self.store.get_events_with_errors("order-1").errors) == 1
        saved = self.store.save_event(Event("order-1", "placed", {"n": 1}))
        assert numbers(self.store.get_events("order-1")) == [1]
        assert saved.version == self.store.get_latest_version("order-1")

    def test_listings_counts_and_single_reads_go_on(self) -> None:
        self.save_with_malformed()
        (actor,) = self.store.get_actors()
        assert actor.actor_id == "order-1"
        assert actor.latest_version == self.store.get_latest_version("order-1")
        assert self.store.count_events() == 5 + len(self.malformed)
        for error in self.store.get_events_with_errors("order-1").errors:
            with received(malformed_event_found) as got:
                assert self.store.get_event(error.position) is None
            assert [sent["error"].position for sent in got] == [error.position]
        (event,) = self.store.get_events("order-1", limit=1)
        assert self.store.get_event_by_id(event.id) == event
        assert self.store.save_event(event) == event

    def test_other_actors_see_nothing_of_it(self) -> None:
        self.save_with_malformed()
        self.store.save_event(Event("order-2", "placed", {"n": 9}))
        with received(malformed_event_found) as got:
            assert numbers(self.store.get_events("order-2")) == [9]
        assert got == []
        filters: tuple[dict[str, Any], ...] = ({"actor_id": "order-2"},)
        for each in filters:
            assert numbers(self.store.read_all(**each)) == [9]
