"""export_events: a file holds the events of a store."""

from __future__ import annotations

import json
import signal
import stat

import pytest

from tests.maintenance.transfer.importing import without_positions
from tests.servers.process import wait_until
from tests.support.commands import run
from tests.support.database import tamper

pytestmark = pytest.mark.django_db


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


def test_an_exported_file_may_be_read_by_whom_the_umask_says(project, tmp_path):
    file = tmp_path / "events.ndjson"

    assert project.run("export_events", str(file)).returncode == 0

    other = tmp_path / "other"
    other.touch()
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)
