"""Listing actors."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from ...backends.values import ACTOR_ORDERINGS
from ...events import Event
from ...exceptions import InvalidEventError, UnsupportedOperation
from .base import ContractBase, make_events, raises

_START = datetime(2024, 1, 1, tzinfo=UTC)


class Actors(ContractBase):
    """get_actors()."""

    def save_actors(self, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """Save events of ``names``; return what a listing may say of each."""
        expected = {}
        for index, name in enumerate(names):
            count = (index * 7) % 4 + 1
            moments = [
                _START + timedelta(days=(index * 5) % 11, minutes=number) for number in range(count)
            ]
            saved = self.store.save_events(
                [
                    Event(name, "placed", version=number * 3 + 1, timestamp=moment)
                    for number, moment in enumerate(moments)
                ]
            )
            expected[name] = {
                "actor_id": name,
                "latest_version": saved[-1].version,
                "event_count": count,
                "first_timestamp": moments[0],
                "last_timestamp": moments[-1],
                "last_position": saved[-1].position,
            }
        return expected

    def pages(self, **arguments: Any) -> list[str]:
        """Return the actor ids of all pages."""
        names: list[str] = []
        cursor = None
        while True:
            page = self.store.get_actors(cursor=cursor, **arguments)
            assert len(page) <= arguments["limit"]
            names += [actor.actor_id for actor in page]
            cursor = page.next_cursor
            if cursor is None:
                return names
            assert len(page) == arguments["limit"]

    def test_what_a_listing_says(self) -> None:
        expected = self.save_actors(("order-1", "order-2", "order-3"))
        for actor in self.store.get_actors():
            for name, value in expected[actor.actor_id].items():
                said = getattr(actor, name)
                # What the store cannot tell cheaply it may leave out, but not get wrong.
                assert said == value or (
                    said is None and name not in self.store.backend.actor_orderings
                )
            assert actor.latest_version == self.store.get_latest_version(actor.actor_id)

    def test_all_actors_in_the_order_of_their_ids(self) -> None:
        assert list(self.store.iter_actors()) == []
        self.save_actors(("order-2", "Order-1", "order-1", "stock"))
        listed = self.store.get_actors().actors
        assert list(self.store.iter_actors()) == listed
        assert [actor.actor_id for actor in self.store.iter_actors(search="order")] == [
            "order-1",
            "order-2",
        ]

    def test_the_summaries_of_some_actors_are_those_of_a_listing(self) -> None:
        self.save_actors(("order-1", "order-2", "Order-1"))
        listed = {actor.actor_id: actor for actor in self.store.get_actors()}
        assert self.store.get_actor_summaries([]) == {}
        found = self.store.get_actor_summaries(["order-1", "nobody", "Order-1", "order-1"])
        assert found == {name: listed[name] for name in ("order-1", "Order-1")}
        with raises(InvalidEventError):
            self.store.get_actor_summaries(["order-1", ""])

    def test_every_actor_is_on_one_page(self) -> None:
        names = tuple(f"order-{number}" for number in range(23))
        self.save_actors(names)
        for limit in (1, 5, 23, 24, 1000):
            assert self.pages(limit=limit) == sorted(names)
        page = self.store.get_actors(limit=5)
        assert [actor.actor_id for actor in page] == sorted(names)[:5]
        assert page[0] == page.actors[0]

    def test_ids_are_ordered_code_point_by_code_point(self) -> None:
        names = (
            "b",
            "a",
            "B",
            "A",
            "é",
            "e",
            "z",
            "Z",
            "_",
            "a b",
            "a-b",
            "ab",
            "\u2603",
            "🛒",
            "10",
            "9",
        )
        self.save_actors(names)
        assert self.pages(limit=3) == sorted(names)
        if "actor_id" in self.store.backend.actor_orderings:
            assert self.pages(limit=3, order_by="-actor_id") == sorted(names, reverse=True)

    def test_each_ordering_that_the_store_offers(self) -> None:
        expected = self.save_actors(tuple(f"order-{number:02}" for number in range(13)))
        for name in ACTOR_ORDERINGS:
            for sign in ("", "-"):
                order_by = f"{sign}{name}"
                if name not in self.store.backend.actor_orderings:
                    with raises(UnsupportedOperation):
                        self.store.get_actors(order_by=order_by)
                    continue
                ordered = sorted(
                    expected,
                    key=lambda actor_id: (expected[actor_id][name], actor_id),
                    reverse=sign == "-",
                )
                for limit in (1, 4, 50):
                    assert self.pages(limit=limit, order_by=order_by) == ordered, order_by

    def test_search_takes_the_text_literally(self) -> None:
        names = (
            "order-1",
            "Order-1",
            "order_1",
            "order%1",
            "order\\1",
            "a*b?",
            "[ab]",
            "ÉTÉ",
            "été",
        )
        self.save_actors(names)
        for search in (
            "order",
            "Order",
            "_",
            "%",
            "\\",
            "*",
            "?",
            "[ab]",
            "1",
            "été",
            "É",
            "x",
            "'",
            " ",
        ):
            expected = sorted(name for name in names if search in name)
            assert self.pages(search=search, limit=2) == expected, search
        assert self.pages(search="", limit=100) == sorted(names)

    def test_paging_goes_on_while_actors_are_added(self) -> None:
        self.save_actors(tuple(f"order-{number:02}" for number in range(10)))
        page = self.store.get_actors(limit=5)
        self.store.save_event(Event("order-00a", "placed"))
        self.store.save_event(Event("order-99", "placed"))
        rest = self.store.get_actors(limit=100, cursor=page.next_cursor)
        assert [actor.actor_id for actor in rest] == [
            *(f"order-{number:02}" for number in range(5, 10)),
            "order-99",
        ]

    def test_what_a_time_limit_leaves_is_found_by_going_on(self) -> None:
        # Those that come first were written last.
        names = sorted(self.save_actors(tuple(f"order-{number}" for number in range(9, 0, -1))))
        for name in sorted(self.store.backend.actor_orderings):
            found: list[str] = []
            cursor = None
            while True:
                page = self.store.get_actors(order_by=name, limit=4, cursor=cursor, time_limit=1e-9)
                assert 0 <= page.coverage <= 1
                if page.coverage < 1 and name == "actor_id":
                    continue  # what was found is kept: the same question goes on
                found += [actor.actor_id for actor in page]
                cursor = page.next_cursor
                if cursor is None:
                    break
            assert sorted(found) == names, name

    def test_a_time_limit_may_be_as_long_as_one_likes(self) -> None:
        self.save_actors(("order-1",))
        for time_limit in (1e308, math.inf, 10**400):
            assert self.store.get_actors(time_limit=time_limit).coverage == 1

    def test_a_limit_of_none(self) -> None:
        self.save_actors(("order-1",))
        assert self.store.get_actors(limit=0).actors == []

    def test_wrong_arguments_of_a_listing_are_refused(self) -> None:
        self.save_actors(tuple(f"order-{number}" for number in range(3)))
        wrong: tuple[dict[str, Any], ...] = (
            {"limit": -1},
            {"limit": True},
            {"limit": "5"},
            {"limit": None},
            {"order_by": "name"},
            {"order_by": ""},
            {"order_by": "--actor_id"},
            {"order_by": None},
            {"search": 5},
            {"search": None},
            {"search": "a\x00b"},
            {"search": "\ud800"},
            {"cursor": 5},
            {"cursor": ""},
            {"cursor": "no cursor"},
            {"cursor": "AAAA"},
            {"cursor": "bnVsbA=="},
            {"cursor": "é"},
            {"time_limit": 0},
            {"time_limit": -1.5},
            {"time_limit": True},
            {"time_limit": "2"},
            {"time_limit": math.nan},
        )
        for arguments in wrong:
            with raises(InvalidEventError) as caught:
                self.store.get_actors(**arguments)
            assert caught.exception.field in arguments, arguments

    def test_a_cursor_of_another_order_is_refused(self) -> None:
        for number in range(3):
            self.store.save_events(make_events(2, f"order-{number}"))
        offered = sorted(self.store.backend.actor_orderings)
        orders = [f"{sign}{name}" for name in offered for sign in ("", "-")]
        cursors = {
            order_by: self.store.get_actors(limit=1, order_by=order_by).next_cursor
            for order_by in orders
        }
        for made_for, cursor in cursors.items():
            for order_by in orders:
                if order_by != made_for:
                    with raises(InvalidEventError) as caught:
                        self.store.get_actors(limit=1, order_by=order_by, cursor=cursor)
                    assert caught.exception.field == "cursor", (made_for, order_by)
