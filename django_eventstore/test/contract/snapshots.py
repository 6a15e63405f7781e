"""Snapshots, and replaying to a state."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from ...events import Event, Snapshot
from ...exceptions import EventTooLargeError, InvalidEventError
from .base import ContractBase, add, as_json, make_events, raises
from .values import DATA


class Snapshots(ContractBase):
    """save_snapshot() and get_latest_snapshot()."""

    def test_there_is_none_at_first(self) -> None:
        assert self.store.get_latest_snapshot("order-1") is None
        self.store.save_events(make_events(3))
        assert self.store.get_latest_snapshot("order-1") is None

    def test_a_snapshot_comes_back_as_it_was_saved(self) -> None:
        moment = datetime(2024, 1, 1, 12, 0, 0, 123457, timezone(timedelta(hours=2)))
        given = Snapshot("order-1", 3, {"total": 1e22, "b": -0.0, "a": None}, moment)
        saved = self.store.save_snapshot(given)
        found = self.store.get_latest_snapshot("order-1")
        assert found == saved
        assert (found.actor_id, found.version, found.schema_version) == ("order-1", 3, 1)
        assert found.timestamp == moment
        assert found.timestamp.tzinfo is UTC
        assert as_json(found.state) == as_json(given.state)

    def test_the_state_may_be_any_json(self) -> None:
        states: tuple[Any, ...] = (None, 0, False, "", [], {}, "text", 1.5, [1, [2]], *DATA)
        for version, state in enumerate(states, start=1):
            self.store.save_snapshot(Snapshot("order-1", version, state))
            assert as_json(self.store.get_latest_snapshot("order-1").state) == as_json(state)

    def test_the_latest_at_or_below_a_version(self) -> None:
        for version in (3, 10, 7):
            self.store.save_snapshot(Snapshot("order-1", version, [version]))
        self.store.save_snapshot(Snapshot("order-10", 99, []))

        def version_at(max_version: int | None) -> int | None:
            found = self.store.get_latest_snapshot("order-1", max_version=max_version)
            return None if found is None else found.version

        assert [version_at(n) for n in (None, 11, 10, 9, 7, 6, 3, 2, 1, 0)] == [
            10,
            10,
            10,
            7,
            7,
            3,
            3,
            None,
            None,
            None,
        ]

    def test_a_snapshot_at_the_same_version_takes_its_place(self) -> None:
        self.store.save_snapshot(Snapshot("order-1", 3, {"old": True}))
        self.store.save_snapshot(Snapshot("order-1", 3, {"new": True}, schema_version=2))
        found = self.store.get_latest_snapshot("order-1")
        assert (found.state, found.schema_version) == ({"new": True}, 2)

    def test_the_newest_few_are_kept(self) -> None:
        store = self.open(snapshots_kept=3)
        for version in (5, 1, 2, 3, 4, 6):
            store.save_snapshot(Snapshot("order-1", version, [version]))
            store.save_snapshot(Snapshot("order-2", 1, [version]))
        assert store.get_latest_snapshot("order-1", max_version=3) is None
        for version in (4, 5, 6):
            found = store.get_latest_snapshot("order-1", max_version=version)
            assert found.state == [version]
        assert store.get_latest_snapshot("order-2").state == [6]

    def test_snapshots_can_be_deleted(self) -> None:
        assert self.store.delete_snapshots("order-1") == 0
        self.store.save_events(make_events(9))
        other = self.store.with_namespace(f"{self.namespace}-other")
        for version in (1, 3, 5, 7, 9):
            self.store.save_snapshot(Snapshot("order-1", version, [version]))
        for store, actor_id in ((self.store, "order-10"), (other, "order-1")):
            store.save_snapshot(Snapshot(actor_id, 5, []))

        def versions() -> list[int]:
            items = self.store.iter_snapshots_with_errors("order-1")
            return [snapshot.version for snapshot in items]

        assert self.store.delete_snapshots("order-1", 5, to_version=5) == 1
        assert versions() == [9, 7, 3, 1]
        assert self.store.delete_snapshots("order-1", 5, to_version=5) == 0
        assert self.store.delete_snapshots("order-1", to_version=2) == 1
        assert self.store.delete_snapshots("order-1", 8) == 1
        assert versions() == [7, 3]
        assert self.store.replay("order-1", add, []).snapshot_version == 7
        assert self.store.delete_snapshots("order-1") == 2
        assert self.store.get_latest_snapshot("order-1") is None
        assert self.store.replay("order-1", add, []).state == list(range(1, 10))
        self.store.save_snapshot(Snapshot("order-1", 5, ["again"]))
        assert self.store.get_latest_snapshot("order-1").state == ["again"]
        for store, actor_id in ((self.store, "order-10"), (other, "order-1")):
            assert store.get_latest_snapshot(actor_id).version == 5

    def test_wrong_arguments_of_deleting_snapshots_are_refused(self) -> None:
        self.store.save_snapshot(Snapshot("order-1", 1, []))
        for wrong in (-1, True, "1", 1.0):
            for arguments in ({"from_version": wrong}, {"to_version": wrong}):
                with raises(InvalidEventError) as caught:
                    self.store.delete_snapshots("order-1", **arguments)
                assert caught.exception.field in arguments
        with raises(InvalidEventError):
            self.store.delete_snapshots("")
        assert self.store.get_latest_snapshot("order-1").version == 1

    def test_what_is_no_snapshot_is_refused(self) -> None:
        wrong: tuple[tuple[str, Any], ...] = (
            ("snapshot", {"actor_id": "order-1"}),
            ("snapshot", None),
            ("actor_id", Snapshot("", 1, {})),
            ("actor_id", Snapshot(5, 1, {})),  # type: ignore[arg-type]
            ("version", Snapshot("order-1", 0, {})),
            ("version", Snapshot("order-1", True, {})),
            ("version", Snapshot("order-1", 2**63, {})),
            ("state", Snapshot("order-1", 1, float("nan"))),
            ("state", Snapshot("order-1", 1, "a\x00")),
            ("state['at']", Snapshot("order-1", 1, {"at": datetime(2024, 1, 1, tzinfo=UTC)})),
            ("schema_version", Snapshot("order-1", 1, {}, schema_version=0)),
            ("schema_version", Snapshot("order-1", 1, {}, schema_version="1")),  # type: ignore[arg-type]
            ("timestamp", Snapshot("order-1", 1, {}, datetime(2024, 1, 1))),  # noqa: DTZ001
        )
        for field, snapshot in wrong:
            with raises(InvalidEventError) as caught:
                self.store.save_snapshot(snapshot)
            assert caught.exception.field == field
        assert self.store.get_latest_snapshot("order-1") is None

    def test_large_snapshots(self) -> None:
        limit = self.store.options.max_event_size
        self.store.save_snapshot(Snapshot("order-1", 1, "x" * (limit - 2)))
        with raises(EventTooLargeError) as caught:
            self.store.save_snapshot(Snapshot("order-1", 2, "x" * limit))
        assert caught.exception.limit == limit
        assert self.store.get_latest_snapshot("order-1").version == 1

    def test_wrong_maximum_versions_are_refused(self) -> None:
        for wrong in (-1, True, "1", 1.0):
            with raises(InvalidEventError) as caught:
                self.store.get_latest_snapshot("order-1", max_version=wrong)
            assert caught.exception.field == "max_version"

    def test_a_snapshot_is_no_event(self) -> None:
        self.store.save_snapshot(Snapshot("order-1", 3, {}))
        assert self.store.get_events("order-1") == []
        assert self.store.get_latest_version("order-1") == 0
        assert self.store.count_events() == 0
        assert self.store.get_actors().actors == []


class Replay(ContractBase):
    """replay()."""

    def test_an_unknown_actor_is_in_the_initial_state(self) -> None:
        initial: list[int] = []
        replayed = self.store.replay("order-1", add, initial)
        assert (replayed.state, replayed.version, replayed.events_applied) == ([], 0, 0)
        assert replayed.errors == []
        assert replayed.state is not initial

    def test_the_state_at_each_version(self) -> None:
        self.store.save_events(make_events(4))
        self.store.save_event(Event("order-1", "item added", {"n": 5}, version=8))
        for use_snapshot in (False, True):
            for to_version in range(10):
                replayed = self.store.replay(
                    "order-1", add, [], to_version=to_version, use_snapshot=use_snapshot
                )
                held = [n for n in range(1, 5) if n <= to_version] + [5] * (to_version >= 8)
                assert replayed.state == held
                assert replayed.version == (8 if to_version >= 8 else min(to_version, 4))
            # The second round starts at snapshots, in the middle and above.
            for version in (2, 4, 8):
                state = self.store.replay("order-1", add, [], to_version=version).state
                self.store.save_snapshot(Snapshot("order-1", version, state))

    def test_a_replay_starts_at_the_newest_snapshot(self) -> None:
        self.store.save_events(make_events(10))
        self.store.save_snapshot(Snapshot("order-1", 6, ["six"]))
        self.store.save_snapshot(Snapshot("order-1", 3, ["three"]))
        replayed = self.store.replay("order-1", add, [])
        assert replayed.state == ["six", 7, 8, 9, 10]
        assert (replayed.version, replayed.events_applied, replayed.snapshot_version) == (10, 4, 6)
        earlier = self.store.replay("order-1", add, [], to_version=5)
        assert earlier.state == ["three", 4, 5]
        assert (earlier.version, earlier.snapshot_version) == (5, 3)
        first = self.store.replay("order-1", add, [], to_version=2)
        assert (first.state, first.snapshot_version) == ([1, 2], 0)
        without = self.store.replay("order-1", add, [], use_snapshot=False)
        assert (without.state, without.snapshot_version) == (list(range(1, 11)), 0)

    def test_a_snapshot_at_the_last_event(self) -> None:
        self.store.save_events(make_events(3))
        self.store.save_snapshot(Snapshot("order-1", 3, ["three"]))
        replayed = self.store.replay("order-1", add, [])
        assert (replayed.state, replayed.version, replayed.events_applied) == (["three"], 3, 0)

    def test_replaying_changes_neither_the_initial_state_nor_the_snapshot(self) -> None:
        self.store.save_events(make_events(3))
        initial = {"seen": [0]}

        def collect(state: dict[str, list[int]], event: Event) -> dict[str, list[int]]:
            state["seen"].append(event.data["n"])
            return state

        assert self.store.replay("order-1", collect, initial).state == {"seen": [0, 1, 2, 3]}
        assert initial == {"seen": [0]}
        self.store.save_snapshot(Snapshot("order-1", 1, {"seen": [1]}))
        for _ in range(2):
            assert self.store.replay("order-1", collect, initial).state == {"seen": [1, 2, 3]}

    def test_snapshots_of_another_schema_are_passed_over_and_reported(self) -> None:
        self.store.save_events(make_events(5))
        self.store.save_snapshot(Snapshot("order-1", 2, ["usable"], schema_version=2))
        self.store.save_snapshot(Snapshot("order-1", 3, ["old"], schema_version=1))
        self.store.save_snapshot(Snapshot("order-1", 4, ["newer"], schema_version=3))
        replayed = self.store.replay("order-1", add, [], schema_version=2)
        assert replayed.state == ["usable", 3, 4, 5]
        assert len(replayed.skipped_snapshots) == 2
        assert replayed.errors == []
        none_usable = self.store.replay("order-1", add, [], schema_version=4)
        assert none_usable.state == [1, 2, 3, 4, 5]
        assert len(none_usable.skipped_snapshots) == 3

    def test_a_snapshot_that_cannot_be_read_is_passed_over_and_reported(self) -> None:
        self.store.save_events(make_events(5))
        self.store.save_snapshot(Snapshot("order-1", 2, ["two"]))
        raw = b'["bro'
        self.inject_malformed_snapshot(self.make_store(self.namespace), "order-1", 4, raw)
        replayed = self.store.replay("order-1", add, [])
        assert replayed.state == ["two", 3, 4, 5]
        (skipped,) = replayed.skipped_snapshots
        held = skipped.raw if isinstance(skipped.raw, bytes) else skipped.raw.encode()
        assert raw in held
        assert self.store.get_latest_snapshot("order-1").version == 2

    def test_what_the_fold_raises_passes_through(self) -> None:
        self.store.save_events(make_events(3))

        def fail(state: list[int], event: Event) -> list[int]:
            if event.data["n"] == 2:
                raise KeyError("no luck")
            return add(state, event)

        with raises(KeyError) as caught:
            self.store.replay("order-1", fail, [])
        assert "'order-1'" in caught.exception.__notes__[0]

    def test_a_long_history_with_and_without_a_snapshot(self) -> None:
        self.store.save_events(make_events(990))
        full = self.store.replay("order-1", add, [])
        assert full.state == list(range(1, 991))
        middle = self.store.replay("order-1", add, [], to_version=500)
        self.store.save_snapshot(Snapshot("order-1", 500, copy.deepcopy(middle.state)))
        replayed = self.store.replay("order-1", add, [])
        assert replayed.state == full.state
        assert replayed.events_applied == 490

    def test_wrong_arguments_of_a_replay_are_refused(self) -> None:
        for wrong in (-1, True, "1"):
            with raises(InvalidEventError) as caught:
                self.store.replay("order-1", add, [], to_version=wrong)
            assert caught.exception.field == "to_version"
            with raises(InvalidEventError) as caught:
                self.store.replay("order-1", add, [], schema_version=wrong)
            assert caught.exception.field == "schema_version"
