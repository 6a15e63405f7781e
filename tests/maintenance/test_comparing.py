"""verify_events --against: what is not the same in two stores is found and named."""

from __future__ import annotations

import json

import pytest

from django_eventstore import Event, event_stores
from tests.support.commands import run
from tests.support.database import remove, tamper

pytestmark = pytest.mark.django_db


def compare(**options):
    return run("verify_events", against="default", against_namespace="copy", **options)


def test_equal_stores_are_found_equal(store, copied):
    ended = compare()

    count, actors = store.count_events(), 30
    assert ended == (0, f"{count} events, {actors} actors verified: all is well.\n", "")


def spoil(copied, field, value):
    """Change a field of one of the copied events; return the event as it was."""
    event = list(copied.read_all())[60]
    tamper(event.position, **{field: value})
    return event


def test_a_flipped_byte_is_named(store, copied):
    event = next(each for each in copied.read_all() if "applicant" in each.data)
    data = json.dumps(event.data)
    flipped = data.replace(event.data["applicant"][0], chr(ord(event.data["applicant"][0]) ^ 1), 1)
    tamper(event.position, data=flipped)

    ended = compare()

    assert ended.status == 1
    [line, _] = ended.out.splitlines()
    assert line.startswith(f"different: actor '{event.actor_id}', version {event.version}, ")
    assert f"event {event.id}" in line
    assert "data['applicant']: " in line


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("event_type", "Other", 'event_type: "'),
        ("event_id", "another", 'id: "'),
        ("metadata", "{}", "metadata['correlation_id']: "),
        ("command_id", "", 'command_id: "'),
    ],
)
def test_each_changed_field_is_named(store, copied, field, value, expected):
    event = spoil(copied, field, value)

    ended = compare()

    assert ended.status == 1
    assert f"version {event.version}" in ended.out
    assert expected in ended.out
    assert ended.err == "1 fault found."


def test_a_number_of_another_type_and_keys_in_another_order_are_different():
    store = event_stores["default"]
    store.save_event(Event("a", "b", {"x": 1, "y": 2}, id="1"))
    run("copy_events", "default", "default", to_namespace="copy")

    for data, expected in (
        ('{"x":1.0,"y":2}', "data['x']: 1 != 1.0"),
        ('{"x":true,"y":2}', "data['x']: 1 != true"),
        ('{"y":2,"x":1}', "data: the keys are in another order"),
        ('{"x":1}', "data['y']: 2 != (absent)"),
    ):
        [copied] = store.with_namespace("copy").read_all()
        tamper(copied.position, data=data)
        assert expected in compare().out


def test_a_missing_and_an_extra_event_are_named(store, copied):
    events = list(copied.read_all())
    lost = events[40]
    remove(lost.position)
    extra = copied.save_event(Event(events[0].actor_id, "NoteAdded"))
    stranger = copied.save_event(Event("zzz", "NoteAdded"))

    ended = compare(format="json")

    assert ended.status == 1
    *findings, summary = map(json.loads, ended.out.splitlines())
    assert {(each["kind"], each["event_id"]) for each in findings} == {
        ("missing", lost.id),
        ("extra", extra.id),
        ("extra", stranger.id),
    }
    assert summary["found"] == {"missing": 1, "extra": 2}
    assert summary["faults"] == 3
