"""What is stored comes back equal, and what was put there past the store stops nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import IntegrityError, connections, transaction
from django.test import override_settings

from django_eventstore import Event, ReplayError
from django_eventstore.models import ActorRecord, EventRecord, SnapshotRecord
from tests.support.database import ALL, execute, on, store_on

EVENTS = EventRecord._meta.db_table
COLUMNS = (
    "namespace, actor_id, version, event_id, event_type, command_id, timestamp, data, metadata"
)
GOOD = {
    "version": 2,
    "event_id": "bad",
    "event_type": "happened",
    "timestamp": "2026-01-31 12:00:00.000000",
    "data": '{"n": 1}',
    "metadata": "{}",
}
BAD = [
    ({"data": "[1, 2]"}, "data"),
    ({"data": "null"}, "data"),
    ({"data": '{"n": '}, None),
    ({"data": ""}, None),
    ({"metadata": '{"user_id": 7}'}, "metadata['user_id']"),
    ({"metadata": "[]"}, "metadata"),
    ({"metadata": "no JSON"}, None),
    ({"event_type": ""}, "event_type"),
    ({"event_id": ""}, "id"),
]


def insert(alias, actor_id, **values):
    row = {**GOOD, **values}
    execute(
        alias,
        f"INSERT INTO {EVENTS} ({COLUMNS}) VALUES ('', %s, %s, %s, %s, '', %s, %s, %s)",
        (actor_id, *(row[name] for name in GOOD)),
    )


@pytest.mark.parametrize(("values", "field"), BAD)
@on(*ALL)
def test_a_malformed_row_is_an_error_with_its_raw_text(alias, values, field):
    check_malformed(alias, values, field)


@pytest.mark.parametrize(
    "values",
    [
        {"timestamp": "yesterday"},
        {"timestamp": ""},
        {"version": "two"},
        {"data": b"\xff\xfe"},
        {"metadata": b"{\xff}"},
    ],
)
@on("default")
def test_a_row_that_only_sqlite_holds(alias, values):
    check_malformed(alias, values, None)


@on("postgres")
@pytest.mark.parametrize("timestamp", ["infinity", "10000-01-01 00:00:00Z", "0001-01-01 BC"])
def test_a_time_that_python_lacks_is_not_stored(alias, timestamp):
    with pytest.raises(IntegrityError), transaction.atomic(alias):
        insert(alias, "a", timestamp=timestamp)


def check_malformed(alias, values, field):
    store = store_on(alias)
    first = store.save_event(Event("a", "happened", {"n": 0}))
    insert(alias, "a", **values)
    other = store.save_event(Event("b", "happened"))

    result = store.get_events_with_errors("a")
    (error,) = result.errors
    assert result.events == [first]
    assert first.position < error.position < other.position
    assert error.actor_id == "a"
    for value in values.values():
        assert value == "" or (value if isinstance(value, str) else "xff") in error.raw
    if field is not None:
        assert error.error.field == field

    assert list(store.read_all()) == [first, other]
    assert isinstance(store.get_event_with_errors(error.position), ReplayError)
    assert [actor.actor_id for actor in store.get_actors()] == ["a", "b"]
    assert store.count_events() == 3
    assert store.get_event_by_id("bad") is None
    if "version" not in values:
        assert store.get_latest_version("a") == 2
        assert store.save_event(Event("a", "happened")).version == 3


@on(*ALL)
def test_rows_inserted_past_the_store_are_taken_into_account(alias):
    store = store_on(alias)
    insert(alias, "a", version=5)
    assert store.get_latest_version("a") == 5
    saved = store.save_event(Event("a", "happened"), expected_version=5)
    insert(alias, "a", version=7, event_id="later")
    following = store.save_event(Event("a", "happened"))
    assert (saved.version, following.version) == (6, 8)
    (actor,) = store.get_actors()
    assert (actor.latest_version, actor.event_count) == (8, 4)


TIMES = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    datetime(2026, 1, 31, 12, 0, 0, 100000, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
]


@pytest.mark.parametrize("use_tz", [True, False])
@on(*ALL)
def test_times_are_kept_to_the_microsecond(alias, use_tz):
    store = store_on(alias)
    with override_settings(USE_TZ=use_tz, TIME_ZONE="America/New_York"):
        saved = store.save_events([Event("a", "happened", timestamp=moment) for moment in TIMES])
        assert [event.timestamp for event in store.get_events("a")] == TIMES
        assert all(event.timestamp.tzinfo is UTC for event in store.get_events("a"))
        for event in saved:
            same = store.read_all(since=event.timestamp, until=event.timestamp)
            assert list(same) == [event]
        rows = EventRecord.objects.using(alias)
        # Near the ends of the calendar, Django's own conversions fail.
        assert [row.timestamp for row in rows.filter(version__in=(3, 4, 5))] == TIMES[2:5]
        assert rows.get(timestamp=TIMES[4]).version == 5
        assert rows.filter(timestamp__lt=TIMES[2]).count() == 2


NAMES = [
    *("ORDER", "Order", "order", "order ", "ord\u00e9r", "orde\u0301r", "stra\u00dfe", "strasse"),
    *("\U0001f600", "zz"),
]


@on(*ALL)
def test_names_are_compared_and_sorted_code_point_by_code_point(alias):
    store = store_on(alias)
    for name in NAMES:
        store.save_event(Event(name, name, id=name), expected_version=0)
    assert store.count_events() == len(NAMES)
    for name in NAMES:
        assert [event.actor_id for event in store.get_events(name)] == [name]
        assert [event.id for event in store.read_all(event_types=[name])] == [name]
        assert store.get_event_by_id(name).actor_id == name
    seen, cursor = [], None
    while True:
        page = store.get_actors(limit=3, cursor=cursor)
        seen += [actor.actor_id for actor in page]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == sorted(NAMES)
    assert [actor.actor_id for actor in store.get_actors(search="rder")] == [
        "Order",
        "order",
        "order ",
    ]
    assert [actor.actor_id for actor in store.get_actors(search="%")] == []


@on(*ALL)
def test_long_correlation_ids_are_told_apart(alias):
    store = store_on(alias)
    ids = ["x" * 254, "x" * 255, "x" * 256, "x" * 5000, ""]
    for each in ids:
        store.save_event(Event("a", "happened", metadata={"correlation_id": each}))
    store.save_event(Event("a", "happened"))
    for number, each in enumerate(ids, start=1):
        assert [event.version for event in store.read_all(correlation_id=each)] == [number]
        assert store.count_events(correlation_id=each) == 1


@on(*ALL)
def test_data_is_queried_through_the_orm(alias):
    store = store_on(alias)
    data = {"customer": {"name": "Ada", "tags": ["a", "b"]}, "total": 7, "big": 1e22}
    store.save_event(Event("a", "happened", data, metadata={"user_id": "u1"}))
    store.save_event(Event("b", "happened", {"customer": {"name": "Bob"}, "total": 20}))
    rows = EventRecord.objects.using(alias)
    assert rows.get(data__customer__name="Ada").data == data
    assert rows.get(data__total__gt=10).actor_id == "b"
    assert rows.get(data__customer__name__icontains="BO").actor_id == "b"
    assert rows.get(data__customer__tags__1="b").actor_id == "a"
    assert rows.get(metadata__user_id="u1").actor_id == "a"
    assert rows.get(data__has_key="big").actor_id == "a"
    assert list(rows.values_list("data__total", flat=True)) == [7, 20]
    if connections[alias].features.supports_json_field_contains:
        assert rows.get(data__contains={"total": 7}).actor_id == "a"
    assert ActorRecord.objects.using(alias).get(pk=("", "a")).version == 1
    assert not SnapshotRecord.objects.using(alias).exists()
