"""Reading one actor."""

from __future__ import annotations

from typing import Any

from ...events import Event, ReplayResult
from ...exceptions import InvalidEventError
from .base import ContractBase, make_events, numbers, raises


class Reading(ContractBase):
    """get_events(), iter_events(), get_events_with_errors() and get_latest_version()."""

    def test_an_unknown_actor_has_no_events(self) -> None:
        self.store.save_events(make_events(2))
        assert self.store.get_events("order-2") == []
        assert list(self.store.iter_events("order-2")) == []
        assert self.store.get_events_with_errors("order-2") == ReplayResult([], [])
        assert self.store.get_latest_version("order-2") == 0

    def test_events_are_in_version_order_and_the_actors_own(self) -> None:
        for number in range(1, 6):
            self.store.save_event(Event("order-1", "placed", {"n": number}))
            self.store.save_event(Event("order-10", "placed", {"n": -number}))
        assert numbers(self.store.get_events("order-1")) == [1, 2, 3, 4, 5]
        assert numbers(self.store.get_events("order-10")) == [-1, -2, -3, -4, -5]

    def test_ranges_limits_and_direction(self) -> None:
        self.store.save_events(make_events(4))
        self.store.save_events(make_events(6))
        versions = list(range(1, 11))
        for from_version in (0, 1, 4, 10, 11):
            for to_version in (None, 0, 1, 5, 10, 99):
                expected = [
                    version
                    for version in versions
                    if from_version <= version <= (99 if to_version is None else to_version)
                ]
                for limit in (None, 0, 1, 3, 99):
                    for reverse in (False, True):
                        ordered = expected[::-1] if reverse else expected
                        read = self.store.get_events(
                            "order-1",
                            from_version,
                            to_version=to_version,
                            limit=limit,
                            reverse=reverse,
                        )
                        assert [event.version for event in read] == ordered[:limit]

    def test_ranges_over_gaps(self) -> None:
        for version in (2, 5, 9):
            self.store.save_event(Event("order-1", "placed", version=version))

        def read(*args: Any, **kwargs: Any) -> list[int]:
            return [event.version for event in self.store.get_events("order-1", *args, **kwargs)]

        assert read(3) == [5, 9]
        assert read(3, to_version=8) == [5]
        assert read(6, to_version=8) == []
        assert read(9) == [9]
        assert read(10) == []
        assert read(limit=2) == [2, 5]
        assert read(limit=2, reverse=True) == [9, 5]
        assert read(7, to_version=3) == []

    def test_the_other_readers_take_the_same_arguments(self) -> None:
        self.store.save_events(make_events(9))
        for arguments in (
            {},
            {"from_version": 4},
            {"to_version": 4, "reverse": True},
            {"from_version": 2, "to_version": 8, "limit": 3},
            {"limit": 0},
        ):
            events = self.store.get_events("order-1", **arguments)
            assert list(self.store.iter_events("order-1", **arguments)) == events
            result = self.store.get_events_with_errors("order-1", **arguments)
            assert result == ReplayResult(events, [])

    def test_iterating_may_stop_early(self) -> None:
        self.store.save_events(make_events(50))
        events = self.store.iter_events("order-1")
        assert next(events).version == 1
        assert next(events).version == 2
        del events
        assert self.store.save_event(Event("order-1", "placed")).version == 51

    def test_saving_while_iterating(self) -> None:
        self.store.save_events(make_events(3))
        for event in self.store.iter_events("order-1", to_version=3):
            self.store.save_event(Event("order-1", "echo", {"n": event.version + 100}))
        assert numbers(self.store.get_events("order-1")) == [1, 2, 3, 101, 102, 103]

    def test_a_long_history(self) -> None:
        for _ in range(3):
            self.store.save_events(make_events(700))
        events = list(self.store.iter_events("order-1"))
        assert [event.version for event in events] == list(range(1, 2101))
        assert self.store.get_events("order-1", 2099) == events[2098:]
        assert self.store.get_events("order-1", reverse=True, limit=3) == events[:-4:-1]

    def test_wrong_bounds_are_refused(self) -> None:
        wrong: tuple[dict[str, Any], ...] = (
            {"from_version": -1},
            {"from_version": None},
            {"from_version": True},
            {"from_version": 1.0},
            {"from_version": "1"},
            {"from_version": 2**63},
            {"to_version": -1},
            {"to_version": 2.5},
            {"to_version": 2**63},
            {"limit": -1},
            {"limit": True},
            {"limit": "3"},
        )
        for arguments in wrong:
            for read in (
                self.store.get_events,
                self.store.iter_events,
                self.store.get_events_with_errors,
            ):
                with raises(InvalidEventError) as caught:
                    read("order-1", **arguments)
                assert caught.exception.field in arguments

    def test_the_latest_version_is_the_truth_for_every_store_object(self) -> None:
        other = self.open()
        assert other.get_latest_version("order-1") == 0
        self.store.save_event(Event("order-1", "placed", version=5))
        assert other.get_latest_version("order-1") == 5
        other.save_event(Event("order-1", "placed"))
        assert self.store.get_latest_version("order-1") == 6
