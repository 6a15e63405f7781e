"""export_events, copy_events and verify_events --against: the same events, elsewhere."""

from __future__ import annotations

import json
import signal
import stat

import pytest
from permits.generator import generate

from django_eventstore import Event, event_stores
from django_eventstore.events.upcasting import register_upcaster, unregister_upcaster
from tests.servers.process import wait_until
from tests.support.commands import run
from tests.support.database import remove, tamper

pytestmark = pytest.mark.django_db


@pytest.fixture
def store():
    """A store of thirty applications in the default database."""
    store = event_stores["default"]
    store.save_events(generate(30))
    return store


@pytest.fixture
def copied(store):
    """The same events in another namespace, copied by the command."""
    ended = run("copy_events", "default", "default", to_namespace="copy")
    assert ended.status == 0, ended
    return store.with_namespace("copy")


def without_positions(events):
    return [{**event.to_dict(), "position": None} for event in events]


def test_what_is_exported_imports_as_an_equal_store(store, tmp_path):
    file = tmp_path / "events.ndjson"

    ended = run("export_events", file)

    count = store.count_events()
    last = list(store.read_all())[-1].position
    assert ended == (0, f"{count} events written, 0 malformed; the last position is {last}.\n", "")
    assert [json.loads(line) for line in file.read_text().splitlines()] == [
        e.to_dict() for e in store.read_all()
    ]
    assert run("import_events", file, namespace="other").status == 0
    other = store.with_namespace("other")
    assert without_positions(other.read_all()) == without_positions(store.read_all())


def test_a_part_is_exported(store, tmp_path):
    file = tmp_path / "events.ndjson"
    events = list(store.read_all())
    half = events[len(events) // 2]

    run("export_events", file, after=half.position)
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == [
        event.id for event in events if event.position > half.position
    ]
    run("export_events", file, "--type", "FeePaid", "--since", half.timestamp.isoformat())
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == [
        event.id
        for event in events
        if event.event_type == "FeePaid" and event.timestamp >= half.timestamp
    ]
    run("export_events", file, actor=half.actor_id, until=half.timestamp)
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == [
        event.id for event in store.get_events(half.actor_id) if event.timestamp <= half.timestamp
    ]


def test_malformed_events_are_named_and_not_exported(store, tmp_path):
    event = next(store.read_all())
    tamper(event.position, data="[")

    ended = run("export_events", tmp_path / "events.ndjson")

    assert ended.status == 1
    assert f"Malformed event at position {event.position}" in ended.err
    assert ", 1 malformed;" in ended.out


def test_a_file_that_cannot_be_written_is_named(store, tmp_path):
    ended = run("export_events", tmp_path / "none" / "events.ndjson")

    assert ended.status == 1
    assert "Cannot write" in ended.err


def test_a_copy_is_equal_and_a_second_run_adds_nothing(store, copied):
    assert without_positions(copied.read_all()) == without_positions(store.read_all())

    ended = run("copy_events", "default", "default", to_namespace="copy", format="json")

    assert ended.status == 0
    count = store.count_events()
    shown = json.loads(ended.out)
    assert (shown["new"], shown["already_stored"], shown["bad"]) == (0, count, 0)
    assert (shown["compared"], shown["found"]) == (count, {})
    assert shown["position"] == list(store.read_all())[-1].position


def test_a_copy_holds_what_is_stored_and_not_what_upcasters_make_of_it(store):
    register_upcaster("FeePaid", 1, lambda event: 1 / 0)
    try:
        ended = run("copy_events", "default", "default", to_namespace="copy")
        assert ended.status == 0
    finally:
        unregister_upcaster("FeePaid", 1)
    copied = store.with_namespace("copy")
    assert without_positions(copied.read_all()) == without_positions(store.read_all())


def test_a_dry_run_copies_nothing(store):
    ended = run("copy_events", "default", "default", to_namespace="copy", dry_run=True)

    assert ended.status == 0
    assert f"{store.count_events()} events would be copied" in ended.out
    assert store.with_namespace("copy").count_events() == 0


def test_a_malformed_event_stops_a_copy_or_is_left_out(store):
    events = list(store.read_all())
    spoilt = events[50]
    tamper(spoilt.position, data="[")

    ended = run("copy_events", "default", "default", to_namespace="copy", batch_size=20)
    assert ended.status == 1
    assert f"position {spoilt.position}: is malformed" in ended.err
    assert store.with_namespace("copy").count_events() == 40

    ended = run("copy_events", "default", "default", to_namespace="copy", on_error="skip")
    assert ended.status == 1
    assert f"missing: actor '{spoilt.actor_id}'" not in ended.err  # it cannot be told apart
    assert f"malformed: actor '{spoilt.actor_id}', position {spoilt.position}" in ended.err
    assert store.with_namespace("copy").count_events() == len(events) - 1


def test_a_store_is_not_copied_onto_itself(store):
    ended = run("copy_events", "default", "default")

    assert (ended.status, ended.err) == (2, "FROM and TO are the same store and namespace.")


# -- verify_events --against


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


# -- real processes


def test_events_go_to_standard_output_and_the_summary_to_standard_error(seeded_project):

    done = seeded_project.run("export_events")

    assert done.returncode == 0
    assert [json.loads(line)["position"] for line in done.stdout.splitlines()] == list(
        range(1, seeded_project.count() + 1)
    )
    assert b"events written" in done.stderr


def test_a_reader_that_has_had_enough_is_no_error(seeded_project):
    process = seeded_project.start("export_events")
    process.stdout.readline()
    process.stdout.close()
    process.wait(timeout=60)

    assert process.returncode == 141
    assert process.stderr.read() == b""


def test_an_export_that_is_stopped_leaves_the_old_file(project, tmp_path):
    project.run("demo", "--actors", "2000")
    file = tmp_path / "events.ndjson"
    file.write_text("before")
    process = project.start("export_events", str(file))
    wait_until(lambda: any(tmp_path.glob(".events.ndjson.*")), "the export begins")

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert b"The file was not written." in err
    assert file.read_text() == "before"
    assert not any(tmp_path.glob(".events.ndjson.*"))


def test_a_copy_that_is_killed_goes_on_where_it_stopped(seeded_project):
    before = seeded_project.count()
    copy = ("copy_events", "default", "default", "--to-namespace", "copy")
    process = seeded_project.start(*copy, "--batch-size", "50")
    wait_until(lambda: seeded_project.count() > before, "events are copied")
    process.kill()
    process.communicate()

    done = seeded_project.run(*copy)

    assert done.returncode == 0
    assert b"both stores hold the same" in done.stdout
    assert seeded_project.count() == 2 * before


def test_an_exported_file_may_be_read_by_whom_the_umask_says(project, tmp_path):
    file = tmp_path / "events.ndjson"

    assert project.run("export_events", str(file)).returncode == 0

    other = tmp_path / "other"
    other.touch()
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)
