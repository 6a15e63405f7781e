"""What a store can hold comes back equal; what not every store can hold is refused by all."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import models
from django.utils.safestring import mark_safe

from ...events import Event
from ...events.metadata import event_metadata
from ...events.validation import MAX_DEPTH
from ...exceptions import InvalidEventError
from .base import ContractBase, check_stored, raises


class _Kind(models.TextChoices):
    PLACED = "order placed"


DATA: tuple[dict[str, Any], ...] = (
    {},
    {"a": 0, "b": "", "c": False, "d": None, "e": [], "f": {}, "g": 0.0},
    {"b": 1, "a": 2, "": 3, " ": 4, "B": 5, "aa": 6},
    {"städ": "Göteborg – 東京 🎌", "e\u0301": "e\u0301", "é": "é", "rtl": "طلب"},
    {"a.b": 1, "a__b": 2, "$set": 3, "org:group": 4, "'": 5, '"': 6, "\\": 7, "%s": 8, "{}": 9},
    {"n": 2**53 + 1},
    {"n": [2**63 - 1, 2**63, 2**64 - 1, -(2**63), 10**18, 0, -1]},
    {"n": [1.0, 1, True, -0.0, 0.0, 0.1, 1e22, 1e16, 1e300, 5e-324, 1.7976931348623157e308]},
    {"n": [1e22, 10**19, 1e-7, 123456789.123456789, -1.5]},
    {"t": "a\r\nb\n\tc\x0b\x1f\x7f\x85\u2028\u2029\ufeff"},
    {"t": "\\u0000", "u": "\\", "v": '"', "w": "\\n", "x": "</script>"},
    {"t": "007", "u": "null", "v": "true", "w": "1e5", "x": "2024-01-01T00:00:00Z"},
    {"t": "x" * 70_000, "u": "🎌" * 20_000},
    {"list": [[], [[]], {}, [{}], [{"a": [{"b": []}]}]]},
    {"wide": {f"key {number}": number for number in range(2_000)}},
    {"type": "x", "data": {"version": 1}, "metadata": {"position": 3}, "id": "y"},
)
"""Every shape of JSON object, with what stores are known to change."""

NAMES = (
    "order-1",
    "order-1 ",
    " order-1",
    "Order-1",
    "order_1",
    "order%1",
    "order.1",
    ".order",
    "order.",
    "../../etc/passwd",
    "*",
    "orders.>",
    ">",
    "$JS.API.STREAM.DELETE.x",
    "a\\b",
    "order_5F1",
    "order%5F1",
    "a#b?c=d&e/f",
    "o'rder\"; DROP TABLE x;--",
    "a:b:c",
    "=1+1",
    "cafe-1",
    "café-1",
    "cafe\u0301-1",
    "straße",
    "strasse",
    "оrdеr-1",
    "🛒-1",
    "طلب-1",
    "007",
    "7",
    "null",
    "None",
    "a__b__in",
    "a\u2028b",
    "a\u200fb\u202e",
    "a\u00a0b",
    "a b",
    "x" * 255,
    "é" * 255,
    "🛒" * 255,
    "x" * 254 + "y",
)
"""Names that are legal, and different from each other."""

NO_NAMES: tuple[Any, ...] = (
    "",
    "x" * 256,
    "a\x00b",
    "a\nb",
    "a\r\nPUB x 0\r\n",
    "a\tb",
    "a\x1b[31mb",
    "a\x7fb",
    "a\x85b",
    "a\ud800b",
    "\udfff",
    None,
    5,
    True,
    b"order-1",
    UUID(int=1),
    ["order-1"],
    dict,
)
"""What is refused as an actor id, event type or event id."""


class _Stranger:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def _nested(depth: int) -> dict[str, Any]:
    """Return an object that nests ``depth`` levels deep, itself counted."""
    data: Any = {"leaf": 1}
    for level in range(depth - 1):
        data = [data] if level % 2 else {"a": data}
    return data if isinstance(data, dict) else {"a": data[0]}


def _circular() -> dict[str, Any]:
    data: dict[str, Any] = {}
    data["self"] = data
    return data


def _refused_data() -> list[Any]:
    return [
        {"t": "a\x00b"},
        {"a\x00": 1},
        {"t": "\ud800"},
        {"\ud800": 1},
        {"n": math.nan},
        {"n": [1, {"m": math.inf}]},
        {"n": -math.inf},
        {"n": 2**64},
        {"n": -(2**63) - 1},
        {"n": 10**5000},
        {"n": Decimal(1)},
        {"n": b"x"},
        {"n": {1, 2}},
        {"n": (1, 2)},
        {"n": datetime(2024, 1, 1, tzinfo=UTC)},
        {"n": date(2024, 1, 1)},
        {"n": UUID(int=1)},
        {"n": object()},
        {"n": _Stranger()},
        {1: "a"},
        {None: "a"},
        {True: "a"},
        {(1, 2): "a"},
        {1: "a", "1": "b"},
        {"a": {"b": {2: "c"}}},
        _nested(MAX_DEPTH + 1),
        _nested(100_000),
        _circular(),
        None,
        [],
        [{}],
        "text",
        b"{}",
        7,
        True,
        (),
    ]


class Values(ContractBase):
    """Round trips, and refusals."""

    def test_data_of_every_shape_comes_back_equal(self) -> None:
        given = [Event("order-1", "placed", data) for data in DATA]
        self.store.save_events(given[:5])
        for event in given[5:]:
            self.store.save_event(event)
        for stored, event in zip(self.store.get_events("order-1"), given, strict=True):
            check_stored(stored, event)
        for stored, event in zip(self.store.read_all(), given, strict=True):
            check_stored(stored, event)

    def test_data_may_nest_as_deep_as_documented(self) -> None:
        given = Event("order-1", "placed", _nested(MAX_DEPTH))
        check_stored(self.store.save_event(given), given)
        check_stored(self.store.get_events("order-1")[0], given)

    def test_data_that_is_no_json_is_refused(self) -> None:
        for data in _refused_data():
            with raises(InvalidEventError) as caught:
                self.store.save_event(Event("order-1", "placed", data))
            assert caught.exception.field.startswith("data")
            assert caught.exception.reason
        assert self.store.count_events() == 0
        assert self.store.save_event(Event("order-1", "placed")).version == 1

    def test_a_refusal_names_the_place(self) -> None:
        with raises(InvalidEventError) as caught:
            self.store.save_event(Event("order-1", "placed", {"lines": [{"at": b"x"}]}))
        assert caught.exception.field == "data['lines'][0]['at']"

    def test_the_stored_event_does_not_change_with_the_callers_objects(self) -> None:
        data: dict[str, Any] = {"lines": [1], "to": {"name": "a"}}
        metadata = {"user_id": "7"}
        saved = self.store.save_event(Event("order-1", "placed", data, metadata=metadata))
        data["lines"].append(2)
        data["to"]["name"] = "b"
        data["more"] = True
        metadata["user_id"] = "8"
        assert saved.data == {"lines": [1], "to": {"name": "a"}}
        assert saved.user_id == "7"
        assert self.store.get_events("order-1") == [saved]
        read = self.store.get_events("order-1")[0]
        read.data["lines"].clear()
        read.metadata["user_id"] = "9"
        assert self.store.get_events("order-1") == [saved]

    # -- names

    def test_actor_ids_are_compared_code_point_by_code_point(self) -> None:
        for number, actor_id in enumerate(NAMES):
            saved = self.store.save_event(Event(actor_id, "placed", {"n": number}))
            assert saved.version == 1, f"{actor_id!r} is taken for another"
        for number, actor_id in enumerate(NAMES):
            (event,) = self.store.get_events(actor_id)
            assert event.actor_id == actor_id
            assert event.data == {"n": number}
            assert self.store.get_latest_version(actor_id) == 1
        assert [event.actor_id for event in self.store.read_all()] == list(NAMES)
        listed = self.store.get_actors(limit=len(NAMES) + 1)
        assert sorted(actor.actor_id for actor in listed) == sorted(NAMES)

    def test_event_types_come_back_equal(self) -> None:
        self.store.save_events([Event("order-1", name) for name in NAMES])
        assert [event.event_type for event in self.store.get_events("order-1")] == list(NAMES)
        for name in NAMES[::5]:
            (event,) = self.store.read_all(event_types=[name])
            assert event.event_type == name

    def test_ids_and_command_ids_come_back_equal(self) -> None:
        self.store.save_events([Event("order-1", "placed", id=n, command_id=n) for n in NAMES])
        stored = self.store.get_events("order-1")
        assert [event.id for event in stored] == list(NAMES)
        assert [event.command_id for event in stored] == list(NAMES)

    def test_names_may_be_members_of_an_enum(self) -> None:
        for kind in (_Kind.PLACED, mark_safe("order paid")):
            given = Event(kind, kind, {"kind": kind}, id=kind, command_id=kind)
            saved = self.store.save_event(given)
            assert self.store.save_event(given) == saved
            assert self.store.get_events(kind) == [saved]
            assert list(self.store.read_all(event_types=[kind], actor_id=kind)) == [saved]
            for name in (saved.actor_id, saved.event_type, saved.id, saved.command_id):
                assert type(name) is str
                assert name == kind
            assert self.store.get_event_by_id(kind) == saved
            assert self.store.get_latest_version(kind) == 1

    def test_what_is_no_name_is_refused(self) -> None:
        for field in ("actor_id", "event_type", "id", "command_id"):
            for wrong in NO_NAMES:
                if (field, wrong) == ("command_id", ""):
                    continue
                event = replace(Event("order-1", "placed"), **{field: wrong})
                with raises(InvalidEventError) as caught:
                    self.store.save_event(event)
                assert caught.exception.field == field, (field, wrong)
        assert self.store.count_events() == 0

    def test_reading_refuses_what_is_no_actor_id(self) -> None:
        for wrong in NO_NAMES:
            for read in (
                self.store.get_events,
                self.store.iter_events,
                self.store.get_events_with_errors,
                self.store.get_latest_version,
                self.store.get_latest_snapshot,
            ):
                with raises(InvalidEventError) as caught:
                    read(wrong)
                assert caught.exception.field == "actor_id"

    # -- metadata

    def test_metadata_comes_back_equal(self) -> None:
        given = [
            Event("order-1", "placed", metadata=metadata)
            for metadata in (
                {},
                {"b": "1", "a": "2", "": "", " ": " "},
                {"User": "a", "user": "b", "a:b": "c", "Nats-Msg-Id": "x"},
                {"ua": "a\r\nNats-Msg-Id: x", "t": "  x  ", "u": "\t"},
                {"ключ": "значение 🎌", "e\u0301": "e\u0301", "é": "é"},
                {"a": "x" * 20_000, "correlation_id": "x" * 1_000},
                {"correlation_id": "", "causation_id": "c", "user_id": "0", "trace_id": "t"},
            )
        ]
        self.store.save_events(given)
        for stored, event in zip(self.store.get_events("order-1"), given, strict=True):
            check_stored(stored, event)
        (event,) = self.store.read_all(correlation_id="")
        assert (event.causation_id, event.user_id, event.span_id) == ("c", "0", None)

    def test_metadata_that_is_not_text_to_text_is_refused(self) -> None:
        wrong: tuple[Any, ...] = (
            None,
            ["a"],
            "a",
            7,
            {"user_id": 7},
            {"user_id": None},
            {"user_id": True},
            {"a": ["x", "y"]},
            {"a": {"b": "c"}},
            {1: "a"},
            {mark_safe("a"): "a"},  # would come back as another type, as in data
            {None: "a"},
            {b"a": "b"},
            {"a": "\x00"},
            {"\x00": "a"},
            {"a": "\ud800"},
        )
        for metadata in wrong:
            with raises(InvalidEventError) as caught:
                self.store.save_event(Event("order-1", "placed", metadata=metadata))
            assert caught.exception.field.startswith("metadata"), metadata
        assert self.store.count_events() == 0

    def test_surrounding_metadata_is_merged_and_the_events_own_wins(self) -> None:
        with event_metadata(correlation_id="outer", user_id="outer"):
            with event_metadata(user_id="inner", trace_id="inner"):
                self.store.save_event(Event("order-1", "a", metadata={"trace_id": "own"}))
            self.store.save_events([Event("order-1", "b"), Event("order-1", "c")])
        self.store.save_event(Event("order-1", "d"))
        outer = {"correlation_id": "outer", "user_id": "outer"}
        assert [event.metadata for event in self.store.get_events("order-1")] == [
            {"correlation_id": "outer", "user_id": "inner", "trace_id": "own"},
            outer,
            outer,
            {},
        ]

    # -- timestamps

    def test_timestamps_come_back_as_the_same_moment_in_utc(self) -> None:
        berlin = ZoneInfo("Europe/Berlin")
        moments = [
            datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
            datetime(2024, 10, 27, 2, 30, tzinfo=berlin),
            datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=berlin),
            datetime(2024, 3, 31, 2, 30, tzinfo=berlin),
            datetime(1948, 1, 26, 22, 59, tzinfo=UTC),
            datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            datetime(2040, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
            datetime(2999, 1, 1, tzinfo=UTC),
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        ]
        for moment in moments:
            saved = self.store.save_event(Event("order-1", "placed", timestamp=moment))
            assert saved.timestamp == moment.astimezone(UTC)
        stored = [event.timestamp for event in self.store.get_events("order-1")]
        assert stored == [moment.astimezone(UTC) for moment in moments]
        assert all(moment.tzinfo is UTC for moment in stored)

    def test_equal_timestamps_keep_the_order_of_saving(self) -> None:
        moment = datetime(2018, 1, 2, tzinfo=UTC)
        given = [Event("order-1", "placed", {"n": n}, timestamp=moment) for n in range(20)]
        self.store.save_events(given[:10])
        for event in given[10:]:
            self.store.save_event(event)
        assert [event.data["n"] for event in self.store.get_events("order-1")] == list(range(20))

    def test_what_is_no_moment_is_refused(self) -> None:
        wrong: tuple[Any, ...] = (
            datetime(2024, 1, 1),  # noqa: DTZ001 - naive is the point
            date(2024, 1, 1),
            "2024-01-01T00:00:00Z",
            1704067200,
            None,
            datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2))),
        )
        for moment in wrong:
            with raises(InvalidEventError) as caught:
                self.store.save_event(Event("order-1", "placed", timestamp=moment))
            assert caught.exception.field == "timestamp"
        assert self.store.count_events() == 0
