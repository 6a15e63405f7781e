"""Saving again: the same event is stored once, however often and whenever it is saved."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from ...events import Event
from ...events.metadata import event_metadata
from ...exceptions import DuplicateEventError
from .base import ContractBase, make_events, raises


class Retries(ContractBase):
    """Idempotent saving, and ids that are taken."""

    def test_saving_again_returns_the_stored_event(self) -> None:
        given = Event("order-1", "placed", {"n": 1, "m": [1.0, None]}, metadata={"user_id": "7"})
        saved = self.store.save_event(given)
        assert self.store.save_event(given) == saved
        assert self.store.save_event(saved) == saved
        assert self.open().save_event(given) == saved
        assert list(self.store.read_all()) == [saved]

    def test_saving_again_much_later(self) -> None:
        given = make_events(1)[0]
        saved = self.store.save_event(given)
        self.store.save_events(make_events(60))
        for event in make_events(5, "order-2"):
            self.store.save_event(event)
        assert self.open().save_event(given) == saved
        assert self.store.get_latest_version("order-1") == 61

    def test_saving_again_with_its_version_or_an_expected_one(self) -> None:
        given = Event("order-1", "placed", version=4)
        saved = self.store.save_event(given, expected_version=0)
        self.store.save_event(Event("order-1", "paid"))
        assert self.store.save_event(given, expected_version=0) == saved
        assert self.store.save_event(given) == saved
        assert self.store.count_events() == 2

    def test_saving_a_batch_again(self) -> None:
        given = make_events(30)
        saved = self.store.save_events(given, expected_version=0)
        assert self.store.save_events(given, expected_version=0) == saved
        assert self.open().save_events(given) == saved
        self.store.save_event(Event("order-1", "paid"))
        assert self.store.save_events(given) == saved
        assert self.store.count_events() == 31

    def test_saving_a_batch_of_several_actors_again(self) -> None:
        if not self.store.backend.supports_multi_actor_append:
            return
        given = [*make_events(2, "order-1"), *make_events(2, "order-2")]
        saved = self.store.save_events(given)
        assert self.store.save_events(given) == saved
        assert self.store.count_events() == 4

    def test_saving_part_of_a_batch_again(self) -> None:
        given = make_events(5)
        saved = self.store.save_events(given)
        assert self.store.save_events(given[1:3]) == saved[1:3]
        assert self.store.count_events() == 5

    def test_a_batch_of_old_and_new_events_is_refused(self) -> None:
        old, new = make_events(2)
        saved = self.store.save_event(old)
        for batch in ([old, new], [new, old]):
            with raises(DuplicateEventError) as caught:
                self.store.save_events(batch)
            assert caught.exception.event_id == old.id
        assert list(self.store.read_all()) == [saved]

    def test_the_same_id_with_other_content_is_refused(self) -> None:
        given = Event("order-1", "placed", {"n": 1}, command_id="c-1", metadata={"user_id": "7"})
        saved = self.store.save_event(given)
        changes: tuple[dict[str, Any], ...] = (
            {"event_type": "Placed"},
            {"data": {"n": 2}},
            {"data": {"n": 1.0}},
            {"data": {"n": True}},
            {"data": {"n": 1, "m": None}},
            {"data": {}},
            {"command_id": ""},
            {"metadata": {"user_id": "8"}},
            {"metadata": {"user_id": "7", "more": "x"}},
            {"timestamp": given.timestamp + timedelta(microseconds=1)},
            {"version": 2},
        )
        for change in changes:
            with raises(DuplicateEventError) as caught:
                self.store.save_event(replace(given, **change))
            assert caught.exception.event_id == given.id, change
            assert caught.exception.actor_id == "order-1"
        assert list(self.store.read_all()) == [saved]
        assert self.store.get_latest_version("order-1") == 1

    def test_an_id_of_another_actor_is_refused(self) -> None:
        if not self.store.backend.supports_unique_ids:
            return
        given = make_events(1)[0]
        saved = self.store.save_event(given)
        with raises(DuplicateEventError) as caught:
            self.store.save_event(replace(given, actor_id="order-2"))
        assert (caught.exception.event_id, caught.exception.actor_id) == (given.id, "order-2")
        assert list(self.store.read_all()) == [saved]
        assert self.store.get_latest_version("order-2") == 0

    def test_an_id_twice_in_one_append_is_refused(self) -> None:
        event = make_events(1)[0]
        for other in (event, replace(event, data={"n": 2}), replace(event, actor_id="order-2")):
            with raises(DuplicateEventError):
                self.store.save_events([event, other])
        assert self.store.count_events() == 0

    def test_a_duplicate_in_a_batch_leaves_no_trace(self) -> None:
        saved = self.store.save_event(Event("order-1", "placed", id="taken"))
        with raises(DuplicateEventError):
            self.store.save_events(
                [*make_events(2), Event("order-1", "paid", id="taken"), *make_events(1)]
            )
        assert list(self.store.read_all()) == [saved]
        assert self.store.save_event(Event("order-1", "paid")).version == 2

    def test_ids_are_compared_code_point_by_code_point(self) -> None:
        ids = ["3f2b-a", "3F2B-A", "3f2b-a ", "café", "cafe\u0301", "cafe", "straße", "strasse"]
        for event_id in ids:
            self.store.save_event(Event("order-1", "placed", {"id": event_id}, id=event_id))
        assert [event.id for event in self.store.get_events("order-1")] == ids
        for event_id in ids:
            found = self.store.get_event_by_id(event_id, actor_id="order-1")
            assert found.data == {"id": event_id}

    def test_saving_again_inside_another_metadata_block(self) -> None:
        given = make_events(1)[0]
        with event_metadata(correlation_id="first"):
            saved = self.store.save_event(given)
        assert self.store.save_event(given) == saved
        assert saved.correlation_id == "first"
        with event_metadata(correlation_id="second"):
            assert self.store.save_event(given) == saved
        assert self.store.count_events() == 1

    def test_the_same_id_in_two_namespaces_is_two_events(self) -> None:
        given = make_events(1)[0]
        other = self.store.with_namespace(f"{self.namespace}-other")
        self.store.save_event(given)
        saved = other.save_event(replace(given, data={"n": 2}))
        assert saved.version == 1
        assert other.get_event_by_id(given.id).data == {"n": 2}
        assert self.store.get_event_by_id(given.id).data == {"n": 1}
