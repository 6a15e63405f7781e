"""What people, programs and attackers put into events."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from types import MappingProxyType
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st


class Colour(IntEnum):
    RED = 1


# Lone surrogates too, which hypothesis leaves out of text unless told otherwise.
ANY_CHARACTER = st.characters(exclude_categories=())

NASTY_NAMES = st.sampled_from(
    [
        *("a", "A", "a ", " a", "ä", "a\u0308", "ß", "ss", "ﬁ", "İ", "K", "K", "１", "10", "1e1"),
        *(".", "..", "a.b", "*", ">", "a.>", "%2E", "%", "_", "a_b", "$JS.API", "/", "../x", "\\"),
        *("'; DROP TABLE x", '"', "<b>", "{}", "null", "None", "x" * 255, "😀" * 255, "ÿ" * 255),
        *(
            "",
            "x" * 256,
            "a\nb",
            "\t",
            "\x00",
            "a\x00",
            "\x7f",
            "\x85",
            "\u2028",
            "\u200e",
            "\ud83d",
        ),
        *("\ufeff", "\U0010ffff", "\uffff", "👩\u200d💻"),
    ]
)
NO_TEXT = st.sampled_from([None, 0, 1, True, 1.5, b"a", ["a"], ("a",), Colour.RED, UUID(int=1)])
NAMES = NASTY_NAMES | st.text(ANY_CHARACTER, max_size=12) | NO_TEXT
GOOD_NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12
) | NASTY_NAMES.filter(lambda name: 0 < len(name) < 256 and name.isprintable())

INTEGERS = st.integers() | st.sampled_from(
    [2**53, 2**53 + 1, 10**18, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64, 10**400]
)
FLOATS = st.floats() | st.sampled_from(
    [0.0, -0.0, 1.0, 1e22, 1e-7, 5e-324, 1.7976931348623157e308, 0.1, 1e16, 123456789012345680.0]
)
TEXTS = st.text(ANY_CHARACTER, max_size=20)
KEYS = st.text(ANY_CHARACTER, max_size=8) | st.sampled_from(["", "a", "A", "__proto__", "$ref"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def nested(depth: int, kind: str) -> dict:
    """Return an object that nests `depth` levels, itself counted."""
    value: object = 1
    for _ in range(depth - 1):
        value = [value] if kind == "list" else {"n": value}
    return {"n": value} if depth else {}


NO_JSON = st.sampled_from(
    [
        *((1, 2), {1}, b"x", date(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC), Decimal("1.0")),
        *(UUID(int=1), Colour.RED, object, {1: "a"}, {None: 1}, {True: 1}, {"a": {1: 2}}, 1j),
        *(frozenset(), timedelta(1), ..., {"a": (1,)}, [[{2}]], {("a",): 1}, bytearray(b"x")),
    ]
)
DATA = (
    st.dictionaries(KEYS, JSON_VALUES, max_size=5)
    | st.dictionaries(KEYS, NO_JSON, min_size=1, max_size=2)
    | st.builds(nested, st.sampled_from([1, 2, 32, 199, 200, 201, 300]), st.sampled_from("ld"))
    | NO_JSON
    | JSON_VALUES
)
GOOD_DATA = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=4,
    ),
    max_size=3,
).filter(lambda data: "\\u0000" not in repr(data) and "\\x00" not in repr(data))

METADATA = (
    st.dictionaries(TEXTS, TEXTS, max_size=4)
    | st.dictionaries(TEXTS, TEXTS | st.none() | INTEGERS, max_size=2)
    | st.sampled_from([None, [], (), "a", {1: "a"}, {"user_id": 7}, MappingProxyType({"a": "b"})])
    | st.just({"correlation_id": "c", "causation_id": "", "user_id": "😀"})
)

ZONES = st.sampled_from(
    [
        *(UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/St_Johns"), ZoneInfo("Asia/Kathmandu")),
        *(timezone(timedelta(hours=23, minutes=59)), timezone(-timedelta(seconds=1))),
    ]
)
TIMESTAMPS = (
    st.datetimes(timezones=ZONES)
    | st.datetimes(timezones=st.none())
    | st.builds(datetime.replace, st.datetimes(timezones=ZONES), fold=st.just(1))
    | st.sampled_from(
        [
            datetime.min.replace(tzinfo=UTC),
            datetime.max.replace(tzinfo=UTC),
            datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
            datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))),
            *(None, "2024-01-01T00:00:00Z", 0, date(2024, 1, 1), datetime(1900, 1, 1, tzinfo=UTC)),
        ]
    )
)
VERSIONS = (
    st.none()
    | st.integers(1, 2**63 - 1)
    | INTEGERS
    | st.sampled_from([0, -1, True, False, 1.0, "1", Decimal(1), float("nan"), Colour.RED])
)
