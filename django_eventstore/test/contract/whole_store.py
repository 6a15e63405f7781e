"""Reading the whole store: read_all(), get_event(), get_event_by_id() and count_events()."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ...events import Event
from ...exceptions import InvalidEventError
from .base import ContractBase, check_ascending, make_events, numbers, raises

_START = datetime(2024, 1, 1, tzinfo=UTC)


class WholeStore(ContractBase):
    """Position order, filters, checkpoints."""

    def save_orders(self) -> list[Event]:
        """Save 24 events of three actors, one by one; return them as stored, in that order."""
        saved = []
        for number in range(24):
            metadata = {"correlation_id": f"c-{number % 4}"} if number % 3 else {}
            saved.append(
                self.store.save_event(
                    Event(
                        f"order-{number % 3}",
                        ("placed", "paid", "sent")[number % 5 % 3],
                        {"n": number},
                        metadata=metadata,
                        # Not in the order of saving: the clock of one writer is behind.
                        timestamp=_START + timedelta(hours=(number * 7) % 24),
                    )
                )
            )
        return saved

    def test_everything_in_the_order_of_position(self) -> None:
        saved = self.save_orders()
        assert list(self.store.read_all()) == saved
        assert list(self.store.read_all(reverse=True)) == saved[::-1]
        check_ascending(saved)

    def test_the_last_position_is_that_of_the_newest_event(self) -> None:
        assert self.store.last_position() == 0
        for event in self.save_orders():
            newest = event.position
        assert self.store.last_position() == newest
        elsewhere = self.open(f"{self.namespace}-elsewhere")
        assert elsewhere.last_position() == 0

    def test_an_unknown_filter_is_no_filter(self) -> None:
        with raises(TypeError):
            list(self.store.read_all(event_typs=None))
        with raises(TypeError):
            self.store.count_events(actor="order-1")

    def test_each_filter_selects_exactly_its_events(self) -> None:
        saved = self.save_orders()
        hour = timedelta(hours=1)
        cases: list[tuple[dict[str, Any], Any]] = [
            ({"event_types": ["paid"]}, lambda e: e.event_type == "paid"),
            ({"event_types": {"paid", "sent"}}, lambda e: e.event_type in ("paid", "sent")),
            ({"event_types": ["paid", "unknown"]}, lambda e: e.event_type == "paid"),
            ({"event_types": ["Paid"]}, lambda _: False),
            ({"event_types": []}, lambda _: False),
            ({"actor_id": "order-1"}, lambda e: e.actor_id == "order-1"),
            ({"actor_id": "order-"}, lambda _: False),
            ({"correlation_id": "c-2"}, lambda e: e.correlation_id == "c-2"),
            ({"correlation_id": ""}, lambda _: False),
            ({"since": _START + 5 * hour}, lambda e: e.timestamp >= _START + 5 * hour),
            ({"until": _START + 5 * hour}, lambda e: e.timestamp <= _START + 5 * hour),
            (
                {"since": _START + 3 * hour, "until": _START + 9 * hour},
                lambda e: _START + 3 * hour <= e.timestamp <= _START + 9 * hour,
            ),
            ({"since": _START + 9 * hour, "until": _START + 3 * hour}, lambda _: False),
            (
                {"actor_id": "order-1", "event_types": ["placed", "sent"], "since": _START + hour},
                lambda e: (
                    e.actor_id == "order-1"
                    and e.event_type in ("placed", "sent")
                    and e.timestamp >= _START + hour
                ),
            ),
            (
                {"correlation_id": "c-1", "actor_id": "order-2"},
                lambda e: e.correlation_id == "c-1" and e.actor_id == "order-2",
            ),
        ]
        for filters, matches in cases:
            expected = [event for event in saved if matches(event)]
            assert list(self.store.read_all(**filters)) == expected, filters
            assert list(self.store.read_all(reverse=True, **filters)) == expected[::-1], filters
            assert self.store.count_events(**filters) == len(expected), filters
            for limit in (0, 1, 3):
                # The limit counts what has passed the filters.
                read = self.store.read_all(limit=limit, **filters)
                assert list(read) == expected[:limit], (filters, limit)

    def test_positions_bound_what_is_read(self) -> None:
        saved = self.save_orders()
        fifth, tenth = saved[4].position, saved[9].position
        assert list(self.store.read_all(fifth)) == saved[5:]
        assert list(self.store.read_all(after=fifth, before=tenth)) == saved[5:9]
        assert list(self.store.read_all(before=tenth)) == saved[:9]
        assert list(self.store.read_all(before=tenth, reverse=True, limit=2)) == saved[8:6:-1]
        assert list(self.store.read_all(after=fifth, limit=2, reverse=True)) == saved[:-3:-1]
        assert list(self.store.read_all(after=tenth, before=fifth)) == []
        assert list(self.store.read_all(after=saved[-1].position)) == []
        assert list(self.store.read_all(after=0)) == saved
        assert list(self.store.read_all(after=fifth, event_types=["paid"])) == [
            event for event in saved[5:] if event.event_type == "paid"
        ]

    def test_a_reader_goes_on_from_its_checkpoint(self) -> None:
        saved = self.save_orders()
        seen: list[Event] = []
        checkpoint = None
        while page := list(self.store.read_all(checkpoint, limit=5)):
            seen += page
            checkpoint = page[-1].position
            if len(seen) == 10:
                saved.append(self.store.save_event(Event("order-1", "late", {"n": 99})))
        assert seen == saved
        (new,) = self.store.save_events(make_events(1, "order-9"))
        assert list(self.store.read_all(after=checkpoint)) == [new]

    def test_a_batch_may_be_cut_by_a_limit_and_gone_on_with(self) -> None:
        self.store.save_events(make_events(10))
        self.store.save_events(make_events(10))
        seen: list[int | None] = []
        checkpoint = None
        while page := list(self.store.read_all(after=checkpoint, limit=3)):
            seen += [event.version for event in page]
            checkpoint = page[-1].position
        assert seen == list(range(1, 21))

    def test_many_events(self) -> None:
        for number in range(6):
            self.store.save_events(make_events(400, f"order-{number % 2}"))
        events = list(self.store.read_all())
        assert len(events) == self.store.count_events() == 2400
        check_ascending(events)
        assert list(self.store.read_all(after=events[1199].position)) == events[1200:]
        assert next(iter(self.store.read_all(reverse=True))) == events[-1]

    def test_with_errors_nothing_is_added_where_all_is_well(self) -> None:
        saved = self.save_orders()
        assert list(self.store.read_all_with_errors()) == saved
        paid = [event for event in saved if event.event_type == "paid"]
        assert list(self.store.read_all_with_errors(event_types=["paid"], limit=2)) == paid[:2]

    def test_reading_may_stop_early(self) -> None:
        saved = self.save_orders()
        events = self.store.read_all()
        assert next(events) == saved[0]
        del events
        self.store.save_event(Event("order-1", "placed"))

    def test_saving_while_reading(self) -> None:
        self.store.save_events(make_events(3))
        for event in self.store.read_all(limit=3):
            self.store.save_event(Event("echo", "echo", {"n": event.data["n"]}))
        assert numbers(self.store.get_events("echo")) == [1, 2, 3]

    def test_one_event_by_its_position(self) -> None:
        saved = self.save_orders()
        for event in saved[::6]:
            assert self.store.get_event(event.position) == event
        assert self.store.get_event((saved[-1].position or 0) + 10_000) is None
        assert self.store.get_event(0) is None
        assert self.store.get_event(2**63 - 1) is None
        for wrong in (None, True, -1, "1", 1.0, 2**63):
            with raises(InvalidEventError) as caught:
                self.store.get_event(wrong)
            assert caught.exception.field == "position"

    def test_each_event_of_a_batch_has_a_position_of_its_own(self) -> None:
        for event in self.store.save_events(make_events(5)):
            assert self.store.get_event(event.position) == event

    def test_one_event_by_its_id(self) -> None:
        saved = self.save_orders()
        for event in saved[::6]:
            assert self.store.get_event_by_id(event.id) == event
            assert self.store.get_event_by_id(event.id, actor_id=event.actor_id) == event
            assert self.store.get_event_by_id(event.id, actor_id="order-9") is None
        assert self.store.get_event_by_id("unknown") is None
        for wrong in ("", None, 5, "a\x00"):
            with raises(InvalidEventError) as caught:
                self.store.get_event_by_id(wrong)
            assert caught.exception.field == "id"

    def test_wrong_filters_are_refused(self) -> None:
        naive = datetime(2024, 1, 1)  # noqa: DTZ001 - the point
        wrong: tuple[dict[str, Any], ...] = (
            {"after": -1},
            {"after": "1"},
            {"after": True},
            {"before": 1.5},
            {"after": 2**63},
            {"limit": -1},
            {"limit": True},
            {"event_types": "placed"},
            {"event_types": 7},
            {"event_types": [7]},
            {"event_types": [""]},
            {"event_types": ["a\x00"]},
            {"actor_id": ""},
            {"actor_id": 7},
            {"correlation_id": 7},
            {"correlation_id": "a\x00b"},
            {"correlation_id": "\ud800"},
            {"since": naive},
            {"until": "2024-01-01"},
        )
        for arguments in wrong:
            (field,) = arguments
            for read in (self.store.read_all, self.store.read_all_with_errors):
                with raises(InvalidEventError) as caught:
                    read(**arguments)
                assert caught.exception.field == field
            if field not in ("after", "before", "limit"):
                with raises(InvalidEventError):
                    self.store.count_events(**arguments)
