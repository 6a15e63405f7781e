"""Inputs that break naive stores end the same in every store, and as expected."""

from __future__ import annotations

import datetime
import decimal
import io
import json
import math
import uuid
import zoneinfo
from dataclasses import replace

import pytest

from django_eventstore import Event, EventTooLargeError, InvalidEventError, Snapshot
from django_eventstore.events.ndjson import BadLine, Line, read_ndjson
from django_eventstore.test.contract.base import as_json, check_stored
from tests.support import DATA

CATALOGUE = DATA / "nasty_inputs.json"
NAMES = {
    "json": json,
    "math": math,
    "datetime": datetime,
    "decimal": decimal,
    "uuid": uuid,
    "zoneinfo": zoneinfo,
}
# What the catalogue leaves open, or DESIGN decides otherwise: gaps in versions are allowed.
ACCEPTED = {
    "actor_id:bidi-mark",
    "actor_id:nonchar-ls",
    "namespace:dot",
    "namespace:slash",
    "namespace:unicode",
    "event_type:len255",
    "data:float-1.0",
    "version:gap",
    "version:int63-max",
    "version:none",
    "metadata:newline",
    "metadata:case-keys",
    "metadata:colon-key",
    "timestamp:year-9999",
    "timestamp:future",
    "command_id:same-twice",
    "id:upper-str",
}
REFUSED = {
    "actor_id:c1",
    "actor_id:uuidobj",
    "event_type:class",
    "data:text-2MiB-expanding",
    "data:datetime",
    "data:tuple",
    "data:not-dict-str",
    "metadata:none",
    "metadata:int",
    "metadata:null",
    "metadata:list",
    "timestamp:str",
    "id:nil",
}


def entries(*fields):
    if not CATALOGUE.exists():
        pytest.skip(f"the catalogue {CATALOGUE} is not on this machine")
    catalogue = json.loads(CATALOGUE.read_text(encoding="utf-8"))["entries"]
    return [entry for entry in catalogue if not fields or entry["field"] in fields]


def value_of(entry):
    value = entry["value"] if "value" in entry else eval(entry["python"], NAMES)
    if entry["id"] == "data:deep-100":
        return {"deep": value}  # the data of an event is an object
    if entry["id"] == "timestamp:equal":
        return datetime.datetime(2018, 1, 2, tzinfo=datetime.UTC)
    return value


def is_accepted(entry):
    if entry["id"] in ACCEPTED:
        return True
    if entry["id"] in REFUSED:
        return False
    assert entry["expect"] in ("accept", "reject"), f"{entry['id']} needs a decision"
    return entry["expect"] == "accept"


def test_values(every_store):
    fields = ("actor_id", "event_type", "data", "version", "metadata", "timestamp", "command_id")
    stored = {}
    for number, entry in enumerate(entries(*fields, "id")):
        value = value_of(entry)
        base = Event(f"entry-{number}", "happened", {"entry": entry["id"]})
        given = replace(base, **{entry["field"]: value})
        if is_accepted(entry):
            saved = every_store.save_event(given)
            assert saved.version == (given.version or 1), entry["id"]
            if given.timestamp.tzinfo is not datetime.UTC:
                given = replace(given, timestamp=given.timestamp.astimezone(datetime.UTC))
            check_stored(saved, given)
            stored[entry["id"]] = saved
        else:
            with pytest.raises((InvalidEventError, EventTooLargeError)) as caught:
                every_store.save_event(given)
            field = getattr(caught.value, "field", "data")
            assert field.startswith(entry["field"]), entry["id"]
    assert list(every_store.read_all()) == list(stored.values())
    for entry_id, saved in stored.items():
        (event,) = every_store.get_events(saved.actor_id)
        assert event == saved, entry_id
        assert as_json(event.data) == as_json(saved.data), entry_id


def test_namespaces(every_store):
    for entry in entries("namespace"):
        name = value_of(entry)
        if not is_accepted(entry):
            with pytest.raises(InvalidEventError, match="namespace"):
                every_store.with_namespace(name)
            continue
        # Behind a prefix of this test's: a namespace is for ever.
        store = every_store.with_namespace(f"{every_store.namespace}{name}")
        saved = store.save_event(Event("order-1", "placed"))
        assert store.get_events("order-1") == [saved]
    assert every_store.count_events() == 0


def test_lines_of_a_file():
    for entry in entries("raw_json"):
        event = {"actor_id": "order-1", "event_type": "placed", "data": "HERE"}
        line = json.dumps(event).replace('"HERE"', entry["value"])
        if entry["id"] == "raw_json:blank-line":
            line = ""
        found = list(read_ndjson(io.BytesIO(f"{line}\n".encode())))
        if entry["expect"] == "reject":
            (bad,) = found
            assert isinstance(bad, BadLine), entry["id"]
        else:
            assert not [each for each in found if isinstance(each, (BadLine, Line))]


def test_operations(every_store):
    known = {
        "operation:empty-batch",
        "operation:two-actors",
        "operation:expected-version-bool",
        "operation:generator",
        "operation:990-events",
        "operation:snapshot-bad-json",
    }
    # Each is a test of the contract, which all stores pass; these are the ones without one.
    assert {entry["id"] for entry in entries("operation")} == known
    with pytest.raises(InvalidEventError):
        every_store.save_snapshot(
            Snapshot("order-1", 1, {"at": datetime.datetime.now(datetime.UTC)})
        )
    with pytest.raises(InvalidEventError):
        every_store.save_snapshot(Snapshot("order-1", 1, {"n": math.nan}))
    assert every_store.get_latest_snapshot("order-1") is None


def test_no_entry_is_left_out():
    covered = {
        "actor_id",
        "namespace",
        "event_type",
        "data",
        "raw_json",
        "version",
        "metadata",
        "timestamp",
        "command_id",
        "id",
        "operation",
    }
    assert {entry["field"] for entry in entries()} == covered
