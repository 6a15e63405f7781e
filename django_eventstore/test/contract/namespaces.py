"""Namespaces isolate everything."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from ...events import Event, Snapshot
from ...exceptions import EventStoreError, InvalidEventError
from .base import ContractBase, make_events, numbers, raises


class Namespaces(ContractBase):
    """``namespace``, with_namespace(), and a namespace that is called for."""

    def test_the_same_actor_id_in_two_namespaces_is_two_actors(self) -> None:
        store, other = self.store, self.store.with_namespace(f"{self.namespace}-other")
        store.save_events(make_events(3))
        saved = other.save_event(Event("order-1", "other", {"n": -1}), expected_version=0)
        assert saved.version == 1
        store.save_snapshot(Snapshot("order-1", 2, "mine"))
        other.save_event(Event("order-2", "other", {"n": -2}))

        assert numbers(store.get_events("order-1")) == [1, 2, 3]
        assert other.get_events("order-1") == [saved]
        assert (store.get_latest_version("order-1"), other.get_latest_version("order-1")) == (3, 1)
        assert numbers(store.read_all()) == [1, 2, 3]
        assert numbers(other.read_all()) == [-1, -2]
        assert (store.count_events(), other.count_events()) == (3, 2)
        assert [actor.actor_id for actor in store.get_actors()] == ["order-1"]
        assert [actor.actor_id for actor in other.get_actors()] == ["order-1", "order-2"]
        assert other.get_latest_snapshot("order-1") is None
        assert store.get_event_by_id(saved.id) is None
        assert store.replay("order-2", lambda state, _: state + 1, 0).state == 0

    def test_a_position_does_not_lead_into_another_namespace(self) -> None:
        other = self.store.with_namespace(f"{self.namespace}-other")
        saved = [store.save_event(Event("a", "t")) for store in (self.store, other, self.store)]
        for event in saved:
            for store, own in ((self.store, event is not saved[1]), (other, event is saved[1])):
                found = store.get_event(event.position)
                # Positions of two namespaces may be equal; then each finds its own event.
                assert (found == event) if own else (found is None or found.id != event.id)

    def test_the_default_namespace_is_one_of_its_own(self) -> None:
        actor_id = f"{self.namespace}-actor"
        default = self.open("")
        assert default.namespace == ""
        self.store.save_event(Event(actor_id, "placed", {"n": 1}))
        assert default.get_events(actor_id) == []
        default.save_event(Event(actor_id, "placed", {"n": 2}))
        assert numbers(default.get_events(actor_id)) == [2]
        assert numbers(self.store.get_events(actor_id)) == [1]
        assert numbers(default.with_namespace(self.namespace).get_events(actor_id)) == [1]

    def test_the_same_namespace_is_the_same_data(self) -> None:
        self.store.save_events(make_events(2))
        assert numbers(self.open().get_events("order-1")) == [1, 2]
        again = self.open("").with_namespace(self.namespace)
        assert again.namespace == self.namespace
        assert numbers(again.get_events("order-1")) == [1, 2]

    def test_names_that_look_alike_never_share_data(self) -> None:
        base = self.namespace
        names = [
            f"{base}.orders",
            f"{base}_orders",
            f"{base} orders",
            f"{base}-orders",
            f"{base}/orders",
            f"{base}*orders",
            f"{base}>orders",
            f"{base}-Orders",
            f"{base}-orders ",
            f"{base}-注文",
            f"{base}-é",
            f"{base}-e\u0301",
            f"{base}-e",
        ]
        opened = {}
        for number, name in enumerate(names):
            store = self.open(name)
            try:
                saved = store.save_event(Event("order-1", "placed", {"n": number}))
            except (EventStoreError, ImproperlyConfigured):
                # Refused, for its name on the server is taken: then no data is shared either.
                continue
            assert saved.version == 1, f"{name!r} shares its data with another namespace"
            opened[name] = number
        assert opened
        for name, number in opened.items():
            assert numbers(self.open(name).get_events("order-1")) == [number]
            assert self.open(name).count_events() == 1

    def test_namespace_and_actor_do_not_run_into_each_other(self) -> None:
        left, right = self.open(f"{self.namespace}_b"), self.open(self.namespace)
        left.save_event(Event("c", "placed", {"n": 1}))
        right.save_event(Event("b_c", "placed", {"n": 2}))
        assert numbers(left.get_events("c")) == [1]
        assert numbers(right.get_events("b_c")) == [2]
        assert left.get_events("b_c") == []
        assert right.get_events("c") == []

    def test_a_namespace_that_is_called_for(self) -> None:
        current = f"{self.namespace}-1"
        store = self.open(lambda: current)
        store.save_event(Event("order-1", "placed", {"n": 1}))
        assert store.namespace == current
        current = f"{self.namespace}-2"
        assert store.namespace == current
        assert store.get_events("order-1") == []
        store.save_event(Event("order-1", "placed", {"n": 2}))
        assert numbers(store.read_all()) == [2]
        current = f"{self.namespace}-1"
        assert numbers(store.read_all()) == [1]

    def test_an_update_stays_in_the_namespace_that_it_began_in(self) -> None:
        current = f"{self.namespace}-1"
        store = self.open(lambda: current)

        def decide(state: int) -> Event:
            nonlocal current
            current = f"{self.namespace}-2"
            return Event("order-1", "placed", {"n": state})

        store.update("order-1", decide, lambda state, _: state + 1, 0)
        assert store.count_events() == 0
        current = f"{self.namespace}-1"
        assert store.count_events() == 1

    def test_what_is_no_namespace_is_refused(self) -> None:
        wrong: tuple[Any, ...] = (
            "n" * 300,
            "a\x00b",
            "a\nb",
            "\ud800",
            ">",
            "*",
            ".",
            " ",
            "__",
            None,
            5,
            b"a",
        )
        for name in wrong:
            with raises(InvalidEventError) as caught:
                self.store.with_namespace(name)
            assert caught.exception.field == "namespace"

            def current(name: Any = name) -> Any:
                return name

            with raises(InvalidEventError):
                self.open(current).save_event(Event("order-1", "placed"))
