"""Saving events: one, many, of several actors, none; all or nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from ...events import Event
from ...exceptions import (
    EventTooLargeError,
    InvalidEventError,
    UnsupportedOperation,
    VersionConflictError,
)
from .base import ContractBase, check_ascending, check_stored, make_events, numbers, raises


class Appending(ContractBase):
    """save_event() and save_events()."""

    def test_a_new_store_is_empty(self) -> None:
        assert self.store.get_events("order-1") == []
        assert self.store.get_latest_version("order-1") == 0
        assert list(self.store.read_all()) == []
        assert self.store.count_events() == 0
        assert self.store.get_actors().actors == []

    def test_one_event_comes_back_as_it_was_saved(self) -> None:
        given = Event(
            "order-1",
            "order placed",
            {"total": 12.5, "lines": [{"sku": "a", "count": 2}]},
            command_id="command 7",
            metadata={"correlation_id": "c-1", "user_id": "42", "free": "text"},
        )
        saved = self.store.save_event(given)
        check_stored(saved, given)
        assert saved.version == 1
        assert self.store.get_events("order-1") == [saved]
        assert list(self.store.read_all()) == [saved]

    def test_the_given_event_is_not_changed(self) -> None:
        given = Event("order-1", "placed", {"n": 1})
        before = replace(given, data=dict(given.data))
        self.store.save_event(given)
        assert given == before
        assert given.version is None
        assert given.position is None

    def test_the_callers_id_and_microseconds_are_kept(self) -> None:
        moment = datetime(2024, 2, 29, 23, 59, 59, 123457, tzinfo=UTC)
        given = Event("order-1", "placed", id="my own id", timestamp=moment)
        self.store.save_event(given)
        (stored,) = self.store.get_events("order-1")
        assert stored.id == "my own id"
        assert stored.timestamp == moment
        assert stored.timestamp.microsecond == 123457

    def test_several_events_keep_their_order_and_get_consecutive_versions(self) -> None:
        given = make_events(20)
        saved = self.store.save_events(given)
        assert [event.version for event in saved] == list(range(1, 21))
        for stored, event in zip(saved, given, strict=True):
            check_stored(stored, event)
        assert self.store.get_events("order-1") == saved
        check_ascending(saved)

    def test_events_may_come_from_a_generator(self) -> None:
        saved = self.store.save_events(event for event in make_events(3))
        assert numbers(saved) == [1, 2, 3]
        assert self.store.count_events() == 3

    def test_no_events_do_nothing_and_make_no_actor(self) -> None:
        assert self.store.save_events([]) == []
        assert self.store.save_events([], expected_version=0) == []
        assert self.store.count_events() == 0
        assert self.store.get_actors().actors == []

    def test_positions_rise_in_the_order_of_saving(self) -> None:
        saved = [
            self.store.save_event(Event(actor_id, "placed"))
            for actor_id in ("order-2", "order-1", "order-3", "order-1")
        ]
        check_ascending(saved)

    def test_equal_content_under_another_id_is_another_event(self) -> None:
        moment = datetime(2024, 1, 1, tzinfo=UTC)
        for number in range(2):
            self.store.save_event(
                Event("order-1", "placed", {"n": 1}, id=f"id-{number}", timestamp=moment)
            )
        assert [event.version for event in self.store.get_events("order-1")] == [1, 2]

    def test_a_command_may_lead_to_several_events(self) -> None:
        for _ in range(2):
            self.store.save_event(Event("order-1", "placed", command_id="command-1"))
        assert self.store.get_latest_version("order-1") == 2

    def test_thousands_of_events_in_one_call(self) -> None:
        given = make_events(5000, event_type="e")
        saved = self.store.save_events(given)
        assert [event.version for event in saved] == list(range(1, 5001))
        assert numbers(self.store.iter_events("order-1")) == list(range(1, 5001))
        assert self.store.count_events() == 5000
        assert self.store.get_latest_version("order-1") == 5000

    # -- several actors

    def test_an_append_of_several_actors(self) -> None:
        given = [
            Event("order-2", "placed", {"n": 1}),
            Event("order-1", "placed", {"n": 2}),
            Event("order-2", "paid", {"n": 3}),
            Event("order-3", "placed", {"n": 4}, version=7),
            Event("order-1", "paid", {"n": 5}),
        ]
        if not self.store.backend.supports_multi_actor_append:
            with raises(UnsupportedOperation):
                self.store.save_events(given)
            assert self.store.count_events() == 0
            return
        saved = self.store.save_events(given)
        assert [(event.actor_id, event.version) for event in saved] == [
            ("order-2", 1),
            ("order-1", 1),
            ("order-2", 2),
            ("order-3", 7),
            ("order-1", 2),
        ]
        assert list(self.store.read_all()) == saved
        assert self.store.get_events("order-2") == [saved[0], saved[2]]

    def test_an_append_of_several_actors_is_all_or_nothing(self) -> None:
        if not self.store.backend.supports_multi_actor_append:
            return
        self.store.save_event(Event("order-2", "placed", version=5))
        before = list(self.store.read_all())
        with raises(VersionConflictError) as caught:
            self.store.save_events(
                [
                    Event("order-1", "placed"),
                    Event("order-2", "paid", version=5),
                    Event("order-3", "placed"),
                ]
            )
        assert caught.exception.actor_id == "order-2"
        assert list(self.store.read_all()) == before
        assert [actor.actor_id for actor in self.store.get_actors()] == ["order-2"]

    def test_many_actors_in_one_append(self) -> None:
        if not self.store.backend.supports_multi_actor_append:
            return
        given = [Event(f"order-{number % 300}", "placed", {"n": number}) for number in range(900)]
        saved = self.store.save_events(given)
        assert [event.version for event in saved] == [1] * 300 + [2] * 300 + [3] * 300
        assert numbers(self.store.read_all()) == list(range(900))

    # -- nothing half done

    def test_a_refused_event_in_a_batch_leaves_no_trace(self) -> None:
        with raises(InvalidEventError):
            self.store.save_events([*make_events(3), Event("order-1", "placed", {"n": {1, 2}})])
        assert self.store.count_events() == 0
        assert self.store.get_latest_version("order-1") == 0
        assert self.store.get_actors().actors == []
        saved = self.store.save_event(Event("order-1", "placed"))
        assert saved.version == 1

    def test_a_conflict_in_the_middle_of_a_batch_leaves_no_trace(self) -> None:
        first = self.store.save_event(Event("order-1", "placed", version=3))
        batch = [
            Event("order-1", "paid", version=4),
            Event("order-1", "packed", version=4),
            Event("order-1", "sent", version=5),
        ]
        with raises(VersionConflictError):
            self.store.save_events(batch)
        assert list(self.store.read_all()) == [first]
        assert self.store.get_latest_version("order-1") == 3
        for event in batch:
            assert self.store.get_event_by_id(event.id) is None
        assert self.store.save_event(Event("order-1", "paid")).version == 4

    def test_an_event_that_is_too_large_is_refused(self) -> None:
        limit = self.store.options.max_event_size
        for text in ("x" * limit, "é" * (limit // 2)):
            with raises(EventTooLargeError) as caught:
                self.store.save_events([Event("order-1", "placed"), Event("o", "t", {"t": text})])
            assert caught.exception.limit == limit
            assert caught.exception.size > limit
        assert self.store.count_events() == 0

    def test_an_event_of_the_largest_size_is_taken(self) -> None:
        limit = self.store.options.max_event_size
        overhead = len('{"t":""}{}')
        given = Event("order-1", "placed", {"t": "x" * (limit - overhead)})
        self.store.save_event(given)
        assert self.store.get_events("order-1")[0].data == given.data

    def test_what_is_no_event_is_refused(self) -> None:
        for wrong in ({"actor_id": "order-1"}, "event", None, 7):
            with raises(InvalidEventError):
                self.store.save_event(wrong)
            with raises(InvalidEventError):
                self.store.save_events([wrong])
        for no_list in (Event("order-1", "placed"), "events", b"events", 7, {"a": 1}, None):
            with raises(InvalidEventError) as caught:
                self.store.save_events(no_list)
            assert caught.exception.field == "events"
        assert self.store.count_events() == 0
