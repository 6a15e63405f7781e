"""update(): load, decide, save at the version seen, and decide again on a conflict."""

from __future__ import annotations

from typing import Any

from ...events import Event, Snapshot
from ...exceptions import InvalidEventError, VersionConflictError
from .base import ContractBase, add, make_events, numbers, raises


class _RefusedError(Exception):
    pass


class Updating(ContractBase):
    """update()."""

    def rival(self, number: int) -> None:
        """Save an event of a rival writer."""
        self.open().save_event(Event("order-1", "item added", {"n": number}))

    def test_what_is_decided_is_saved(self) -> None:
        self.store.save_events(make_events(2))
        seen: list[list[int]] = []

        def decide(state: list[int]) -> list[Event]:
            seen.append(state)
            return [Event("order-1", "item added", {"n": n}) for n in (3, 4)]

        saved = self.store.update("order-1", decide, add, [])
        assert seen == [[1, 2]]
        assert [event.version for event in saved] == [3, 4]
        assert numbers(self.store.get_events("order-1")) == [1, 2, 3, 4]

    def test_one_event_may_be_decided(self) -> None:
        (saved,) = self.store.update("order-1", lambda _: Event("order-1", "a", {"n": 1}), add, [])
        assert saved.version == 1

    def test_deciding_nothing_saves_nothing_and_makes_no_actor(self) -> None:
        nothings: tuple[Any, ...] = (None, [], ())
        for nothing in nothings:
            assert self.store.update("order-1", lambda _: nothing, add, []) == []  # noqa: B023
        assert self.store.get_actors().actors == []

    def test_a_conflict_is_decided_again_on_the_newer_state(self) -> None:
        self.store.save_events(make_events(2))
        seen: list[list[int]] = []

        def decide(state: list[int]) -> Event:
            seen.append(list(state))
            if len(seen) <= 3:
                self.rival(10 * len(seen))
            return Event("order-1", "item added", {"n": sum(state)})

        (saved,) = self.store.update("order-1", decide, add, [], retries=3)
        assert seen == [[1, 2], [1, 2, 10], [1, 2, 10, 20], [1, 2, 10, 20, 30]]
        assert (saved.version, saved.data) == (6, {"n": 63})
        assert numbers(self.store.get_events("order-1")) == [1, 2, 10, 20, 30, 63]

    def test_it_gives_up_after_the_last_retry(self) -> None:
        tries = 0

        def decide(_: Any) -> Event:
            nonlocal tries
            tries += 1
            self.rival(tries)
            return Event("order-1", "mine", {"n": -1})

        for retries in (0, 2):
            tries = 0
            with raises(VersionConflictError):
                self.store.update("order-1", decide, add, [], retries=retries)
            assert tries == retries + 1
        assert -1 not in numbers(self.store.get_events("order-1"))

    def test_what_decide_may_do_to_its_state_is_forgotten(self) -> None:
        tries = 0

        def decide(state: list[int]) -> Event:
            nonlocal tries
            tries += 1
            if tries == 1:
                self.rival(1)
            state.append(99)
            return Event("order-1", "item added", {"n": len(state)})

        (saved,) = self.store.update("order-1", decide, add, [])
        assert saved.data == {"n": 2}

    def test_a_version_that_the_caller_gave_is_not_retried(self) -> None:
        tries = 0

        def decide(_: Any) -> Event:
            nonlocal tries
            tries += 1
            self.rival(tries)
            return Event("order-1", "mine", {"n": -1}, version=tries)

        with raises(VersionConflictError):
            self.store.update("order-1", decide, add, [])
        assert tries == 1

        def unversioned(_: Any) -> Event:
            nonlocal tries
            tries += 1
            return Event("order-1", "mine", {"n": -1})

        with raises(VersionConflictError) as caught:
            self.store.update("order-1", unversioned, add, [], expected_version=7)
        assert tries == 2
        assert caught.exception.expected_version == 7
        (saved,) = self.store.update("order-1", unversioned, add, [], expected_version=1)
        assert saved.version == 2

    def test_other_errors_pass_through_and_are_not_retried(self) -> None:
        tries = 0

        def refuse(_: Any) -> Event:
            nonlocal tries
            tries += 1
            raise _RefusedError

        def invalid(_: Any) -> Event:
            nonlocal tries
            tries += 1
            return Event("order-1", "")

        with raises(_RefusedError):
            self.store.update("order-1", refuse, add, [])
        with raises(InvalidEventError):
            self.store.update("order-1", invalid, add, [])
        assert tries == 2
        assert self.store.count_events() == 0

    def test_events_of_another_actor_are_refused(self) -> None:
        other = Event("order-2", "placed", {"n": 1})
        for events in (other, [other], [*make_events(1), other]):
            with raises(InvalidEventError) as caught:
                self.store.update("order-1", lambda _: events, add, [])  # noqa: B023
            assert caught.exception.field == "actor_id"
        assert self.store.count_events() == 0

    def test_it_starts_at_a_snapshot(self) -> None:
        self.store.save_events(make_events(3))
        self.store.save_snapshot(Snapshot("order-1", 2, [-2], schema_version=2))
        for schema_version, expected in ((2, [-2, 3]), (1, [1, 2, 3, 0])):
            seen: list[list[int]] = []

            def decide(state: list[int], seen: list[list[int]] = seen) -> Event:
                seen.append(state)
                return Event("order-1", "item added", {"n": 0})

            self.store.update("order-1", decide, add, [], schema_version=schema_version)
            assert seen == [expected]

    def test_gaps_in_versions(self) -> None:
        self.store.save_event(Event("order-1", "item added", {"n": 1}, version=9))
        (saved,) = self.store.update("order-1", lambda _: make_events(1), add, [])
        assert saved.version == 10

    def test_wrong_retries_are_refused(self) -> None:
        for wrong in (-1, None, True, 1.5):
            with raises(InvalidEventError) as caught:
                self.store.update("order-1", lambda _: None, add, [], retries=wrong)
            assert caught.exception.field == "retries"
