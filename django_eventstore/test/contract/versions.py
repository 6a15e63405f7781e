"""Versions: assigned and given, expected, and conflicts."""

from __future__ import annotations

import pickle
from decimal import Decimal
from typing import Any

from ...events import Event
from ...events.validation import MAX_VERSION
from ...exceptions import InvalidEventError, VersionConflictError
from ...store import MUST_EXIST
from .base import ContractBase, make_events, raises


class Versions(ContractBase):
    """The versions of one actor, and optimistic concurrency."""

    def test_versions_are_assigned_one_by_one(self) -> None:
        saved = [self.store.save_event(Event("order-1", "placed")) for _ in range(3)]
        assert [event.version for event in saved] == [1, 2, 3]
        assert self.store.get_latest_version("order-1") == 3

    def test_given_versions_are_kept_and_may_leave_gaps(self) -> None:
        for version in (3, 4, 2**31 - 1, 2**31, 2**53 + 1):
            saved = self.store.save_event(Event("order-1", "placed", version=version))
            assert saved.version == version
            assert self.store.get_latest_version("order-1") == version
        stored = [event.version for event in self.store.get_events("order-1")]
        assert stored == [3, 4, 2**31 - 1, 2**31, 2**53 + 1]

    def test_assigned_versions_go_on_from_given_ones(self) -> None:
        saved = self.store.save_events(
            [Event("order-1", "a"), Event("order-1", "b", version=10), Event("order-1", "c")]
        )
        assert [event.version for event in saved] == [1, 10, 11]
        assert self.store.save_event(Event("order-1", "d")).version == 12

    def test_a_version_at_or_below_the_latest_is_a_conflict(self) -> None:
        first = self.store.save_event(Event("order-1", "placed", version=5))
        for version in (5, 4, 1):
            with raises(VersionConflictError) as caught:
                self.store.save_event(Event("order-1", "paid", version=version))
            conflict = caught.exception
            assert conflict.actor_id == "order-1"
            assert conflict.attempted_version == version
            assert conflict.expected_version is None
            assert conflict.current_version == 5
        assert self.store.get_events("order-1") == [first]

    def test_versions_that_fall_within_a_batch_are_a_conflict(self) -> None:
        for versions in ((2, 2), (3, 2)):
            with raises(VersionConflictError):
                self.store.save_events(
                    [Event("order-1", "placed", version=version) for version in versions]
                )
        assert self.store.count_events() == 0

    def test_what_is_no_version_is_refused(self) -> None:
        wrong: tuple[Any, ...] = (0, -1, True, False, 1.0, "1", "1_000", Decimal(1), 2**63, 10**30)
        for version in wrong:
            with raises(InvalidEventError) as caught:
                self.store.save_event(Event("order-1", "placed", version=version))
            assert caught.exception.field == "version", version
        assert self.store.count_events() == 0

    def test_the_highest_version(self) -> None:
        last = self.store.save_event(Event("order-1", "placed", version=MAX_VERSION))
        assert last.version == MAX_VERSION == 2**63 - 1
        assert self.store.get_latest_version("order-1") == MAX_VERSION
        assert self.store.get_events("order-1", MAX_VERSION) == [last]
        with raises(InvalidEventError) as caught:
            self.store.save_event(Event("order-1", "one more"))
        assert caught.exception.field == "version"
        with raises(InvalidEventError):
            self.store.save_events(
                [Event("order-2", "a", version=MAX_VERSION), *make_events(1, "order-2")]
            )
        with raises(VersionConflictError):
            self.store.save_event(Event("order-1", "again", version=MAX_VERSION))
        assert list(self.store.read_all()) == [last]

    # -- expected_version

    def test_expecting_no_events_makes_the_actor(self) -> None:
        saved = self.store.save_event(Event("order-1", "placed"), expected_version=0)
        assert saved.version == 1

    def test_expecting_no_events_of_an_actor_that_has_some_is_a_conflict(self) -> None:
        first = self.store.save_event(Event("order-1", "placed"))
        with raises(VersionConflictError):
            self.store.save_event(Event("order-1", "placed"), expected_version=0)
        assert self.store.get_events("order-1") == [first]

    def test_expecting_the_right_version(self) -> None:
        self.store.save_events(make_events(3))
        saved = self.store.save_events(make_events(2), expected_version=3)
        assert [event.version for event in saved] == [4, 5]
        assert self.store.save_event(Event("order-1", "e"), expected_version=5).version == 6

    def test_expecting_the_right_version_behind_a_gap(self) -> None:
        self.store.save_event(Event("order-1", "placed", version=40))
        saved = self.store.save_event(Event("order-1", "paid", version=50), expected_version=40)
        assert saved.version == 50

    def test_expecting_a_version_behind_or_ahead_is_a_conflict(self) -> None:
        self.store.save_events(make_events(3))
        for expected in (0, 1, 2, 4, 2**63 - 1):
            with raises(VersionConflictError) as caught:
                self.store.save_events(make_events(2), expected_version=expected)
            conflict = caught.exception
            assert conflict.actor_id == "order-1"
            assert conflict.expected_version == expected
            assert conflict.current_version == 3
            assert str(expected) in str(conflict)
            assert "3" in str(conflict)
        assert self.store.get_latest_version("order-1") == 3

    def test_expecting_a_version_of_an_unknown_actor_is_a_conflict(self) -> None:
        with raises(VersionConflictError) as caught:
            self.store.save_event(Event("order-1", "placed"), expected_version=1)
        assert caught.exception.current_version == 0
        with raises(VersionConflictError):
            self.store.save_event(Event("order-1", "placed", version=2), expected_version=1)
        assert self.store.count_events() == 0
        assert self.store.get_actors().actors == []

    def test_an_expected_version_below_and_a_given_version_above(self) -> None:
        self.store.save_events(make_events(3))
        with raises(VersionConflictError) as caught:
            self.store.save_event(Event("order-1", "paid", version=9), expected_version=2)
        assert caught.exception.attempted_version == 9
        assert caught.exception.current_version == 3

    def test_what_is_no_expected_version_is_refused(self) -> None:
        wrong: tuple[Any, ...] = (-1, True, False, 1.0, "0", 2**63)
        for expected in wrong:
            with raises(InvalidEventError) as caught:
                self.store.save_event(Event("order-1", "placed"), expected_version=expected)
            assert caught.exception.field == "expected_version"
        assert self.store.count_events() == 0

    def test_an_expected_version_goes_with_one_actor(self) -> None:
        with raises(InvalidEventError) as caught:
            self.store.save_events(
                [Event("order-1", "placed"), Event("order-2", "placed")], expected_version=0
            )
        assert caught.exception.field == "expected_version"
        assert self.store.count_events() == 0

    def test_expecting_that_the_actor_exists(self) -> None:
        with raises(VersionConflictError) as caught:
            self.store.save_event(Event("order-1", "paid"), expected_version=MUST_EXIST)
        assert caught.exception.current_version == 0
        assert self.store.count_events() == 0
        self.store.save_event(Event("order-1", "placed", version=4))
        saved = self.store.save_event(Event("order-1", "paid"), expected_version=MUST_EXIST)
        assert saved.version == 5

    def test_any_version_never_conflicts_between_two_store_objects(self) -> None:
        other = self.open()
        for number in range(1, 11):
            store = self.store if number % 2 else other
            assert store.save_event(Event("order-1", "placed")).version == number
            assert self.store.get_latest_version("order-1") == number
            assert other.get_latest_version("order-1") == number

    def test_a_conflict_can_be_pickled(self) -> None:
        self.store.save_event(Event("order-1", "placed"))
        with raises(VersionConflictError) as caught:
            self.store.save_event(Event("order-1", "placed"), expected_version=7)
        copy = pickle.loads(pickle.dumps(caught.exception))  # noqa: S301 - our own
        assert (copy.actor_id, copy.attempted_version) == ("order-1", 2)
        assert (copy.expected_version, copy.current_version) == (7, 1)
