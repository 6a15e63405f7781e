"""Event and Snapshot: defaults, metadata, the JSON form."""

from __future__ import annotations

import json
import pickle
from copy import deepcopy
from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_eventstore import Event, InvalidEventError, Snapshot
from django_eventstore.events.event import same_event

MOMENT = datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC)
EVENT = Event(
    "order-1", "placed", {"b": 1, "a": [1e22, -0.0]}, 3, "id-1", "c-1", {"user_id": "7"}, MOMENT, 9
)


def test_defaults():
    before = datetime.now(UTC)
    event, other = Event("order-1", "placed"), Event("order-1", "placed")

    assert (event.data, event.version, event.command_id, event.metadata) == ({}, None, "", {})
    assert event.position is None
    assert str(UUID(event.id)) == event.id != other.id
    assert before <= event.timestamp <= datetime.now(UTC)
    assert event.timestamp.tzinfo is UTC
    assert event.data is not other.data


def test_the_order_of_the_fields():
    assert [field.name for field in fields(Event)] == [
        "actor_id",
        "event_type",
        "data",
        "version",
        "id",
        "command_id",
        "metadata",
        "timestamp",
        "position",
    ]


@pytest.mark.parametrize("value", [EVENT, Snapshot("order-1", 1, {})])
def test_values_are_frozen_slotted_hashable_and_can_be_copied(value):
    with pytest.raises(FrozenInstanceError):
        value.version = 5
    assert not hasattr(value, "__dict__")
    assert len({value, deepcopy(value)}) == 1
    assert pickle.loads(pickle.dumps(value)) == value


def test_the_standard_metadata_keys_are_properties():
    keys = ("correlation_id", "causation_id", "user_id", "trace_id", "span_id")
    event = Event("order-1", "placed", metadata={key: key.upper() for key in keys})
    for key in keys:
        assert getattr(event, key) == key.upper()
        assert getattr(Event("order-1", "placed"), key) is None


def test_metadata_can_be_added():
    event = Event("order-1", "placed", metadata={"user_id": "7", "a": "1"})
    other = Event("order-2", "paid", metadata={"user_id": "8", "b": "2"})

    assert event.with_metadata(a="9", trace_id="t").metadata == {
        "user_id": "7",
        "a": "9",
        "trace_id": "t",
    }
    assert event.with_metadata_from(other).metadata == {"user_id": "8", "a": "1", "b": "2"}
    assert event.metadata == {"user_id": "7", "a": "1"}
    assert event.with_metadata(a="9").id == event.id


def test_causes():
    parent = Event("order-1", "placed", metadata={"correlation_id": "c"})
    child = Event("order-2", "reserved", metadata={"a": "1"}).caused_by(parent)
    grandchild = Event("order-3", "sent").caused_by(child)
    orphan = Event("order-4", "placed").caused_by(Event("x", "y", id="root"))

    assert child.metadata == {"a": "1", "correlation_id": "c", "causation_id": parent.id}
    assert (grandchild.correlation_id, grandchild.causation_id) == ("c", child.id)
    assert (orphan.correlation_id, orphan.causation_id) == ("root", "root")


def test_the_json_form():
    document = EVENT.to_dict()

    assert document == {
        "id": "id-1",
        "actor_id": "order-1",
        "event_type": "placed",
        "version": 3,
        "command_id": "c-1",
        "timestamp": "2026-01-31T12:00:00.000005Z",
        "data": {"b": 1, "a": [1e22, -0.0]},
        "metadata": {"user_id": "7"},
        "position": 9,
    }
    assert Event.from_dict(json.loads(json.dumps(document))) == EVENT


def test_the_json_form_has_the_defaults_of_the_class():
    event = Event.from_dict({"actor_id": "order-1", "event_type": "placed"})
    assert (event.version, event.data, event.metadata, event.position) == (None, {}, {}, None)
    assert event.id


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31 12:00:00.000005Z", MOMENT),
        ("2026-01-31T12:00:00.000005999Z", MOMENT),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_timestamps_in_the_json_form(text, moment):
    event = Event.from_dict({"actor_id": "a", "event_type": "t", "timestamp": text})
    assert event.timestamp == moment
    assert event.timestamp.tzinfo is UTC


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"actor_id": ""}, "actor_id"),
        ({"actor_id": None}, "actor_id"),
        ({"event_type": 5}, "event_type"),
        ({"version": 0}, "version"),
        ({"version": "1"}, "version"),
        ({"data": None}, "data"),
        ({"data": []}, "data"),
        ({"metadata": None}, "metadata"),
        ({"metadata": {"a": 1}}, "metadata['a']"),
        ({"command_id": None}, "command_id"),
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"timestamp": None}, "timestamp"),
        ({"timestamp": "2026-01-31"}, "timestamp"),
        ({"timestamp": "2026-01-31T12:00:00"}, "timestamp"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": 1769860800}, "timestamp"),
        ({"position": -1}, "position"),
        ({"position": "9"}, "position"),
        ({"stream": "x"}, "stream"),
        ({5: "x"}, "5"),
    ],
)
def test_what_is_wrong_with_a_document_is_named(change, field):
    with pytest.raises(InvalidEventError) as caught:
        Event.from_dict(EVENT.to_dict() | change)
    assert caught.value.field == field


@pytest.mark.parametrize("missing", ["actor_id", "event_type"])
def test_a_missing_field_is_named(missing):
    document = EVENT.to_dict()
    del document[missing]
    with pytest.raises(InvalidEventError, match=f"{missing}: is missing"):
        Event.from_dict(document)


@pytest.mark.parametrize("document", [None, [], "x", 5])
def test_what_is_no_document(document):
    for kind in (Event, Snapshot):
        with pytest.raises(InvalidEventError, match="must be a JSON object"):
            kind.from_dict(document)


def test_the_json_form_of_a_snapshot():
    snapshot = Snapshot("order-1", 3, {"total": 1}, MOMENT, 4, schema_version=2)
    assert Snapshot.from_dict(json.loads(json.dumps(snapshot.to_dict()))) == snapshot
    for change in ({"version": 0}, {"schema_version": 0}, {"more": 1}, {"position": "4"}):
        with pytest.raises(InvalidEventError):
            Snapshot.from_dict(snapshot.to_dict() | change)
    document = snapshot.to_dict()
    del document["state"]
    with pytest.raises(InvalidEventError, match="state: is missing"):
        Snapshot.from_dict(document)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    lambda children: st.lists(children) | st.dictionaries(st.text("abc"), children),
    max_leaves=20,
)


@given(st.dictionaries(st.text("abcé "), json_values))
def test_every_json_object_survives_the_json_form(data):
    event = Event("order-1", "placed", data)
    assert Event.from_dict(json.loads(json.dumps(event.to_dict()))) == event


@pytest.mark.parametrize(
    ("given_event", "same"),
    [
        (EVENT, True),
        (replace(EVENT, version=None, position=None), True),
        (replace(EVENT, metadata={}), True),
        (replace(EVENT, timestamp=MOMENT.astimezone(timezone(timedelta(hours=5)))), True),
        (replace(EVENT, data={"a": [1e22, -0.0], "b": 1}), True),
        (replace(EVENT, data={"b": 1.0, "a": [1e22, -0.0]}), False),
        (replace(EVENT, data={"b": True, "a": [1e22, -0.0]}), False),
        (replace(EVENT, version=4), False),
        (replace(EVENT, metadata={"user_id": "8"}), False),
        (replace(EVENT, event_type="Placed"), False),
    ],
)
def test_when_an_event_is_one_saved_again(given_event, same):
    assert same_event(given_event, EVENT) is same


def test_ids_made_one_after_the_other_are_in_the_order_of_time():
    ids = [UUID(Event("order-1", "OrderPlaced").id) for _ in range(1000)]
    assert {each.version for each in ids} == {7}
    assert len(set(ids)) == 1000
    # The first 60 bits are the time, to a quarter of a microsecond.
    times = [each.int >> 80 << 12 | each.int >> 64 & 0xFFF for each in ids]
    assert times == sorted(times)
