"""tail_events: each event once, as it is saved."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess

import pytest

from django_eventstore import Event, event_stores
from tests.support.commands import run
from tests.support.project import MANAGE


@pytest.fixture
def store(settings):
    """A store of six events of two actors."""
    settings.EVENT_STORES = dict(settings.EVENT_STORES)
    store = event_stores["memory"]
    for number in range(6):
        event = Event(f"order-{number % 2}", "Placed" if number < 2 else "Paid", {"n": number})
        store.save_event(event.with_metadata(correlation_id=f"c-{number % 3}", user_id="u\u202e7"))
    return store


def numbers(**options):
    """Return which events are shown."""
    ended = run("tail_events", store="memory", no_follow=True, format="json", **options)
    assert ended.status == 0, ended
    return [json.loads(line)["data"]["n"] for line in ended.out.splitlines()]


def test_the_last_events(store):
    assert numbers() == [0, 1, 2, 3, 4, 5]
    assert numbers(last=2) == [4, 5]
    assert numbers(last=0) == []
    assert numbers(after=store.get_event(4).position) == [4, 5]


def test_filters(store):
    assert numbers(event_types=["Placed"]) == [0, 1]
    assert numbers(actor="order-1", last=2) == [3, 5]
    assert numbers(correlation="c-2") == [2, 5]
    assert numbers(actor="order-1", event_types=["Paid"], after=0) == [3, 5]


def test_a_line_says_what_happened_and_cannot_act_on_the_terminal(store):
    out = run("tail_events", store="memory", no_follow=True, last=1).out

    assert out.startswith("6  ")
    assert out.endswith('  Paid  order-1 v3 by u\\u202e7  {"n":5}\n')


def test_new_events_are_shown_as_they_come_until_ctrl_c(seeded_project):
    process = seeded_project.start("tail_events", "--last", "1", "--format", "json")
    first = json.loads(process.stdout.readline())
    assert first["position"] == seeded_project.count()

    lines = b"".join(
        json.dumps(
            {
                "id": f"e-{number}",
                "actor_id": "late",
                "event_type": "NoteAdded",
                "timestamp": "2024-01-31T12:00:00Z",
            }
        ).encode()
        + b"\n"
        for number in range(5)
    )
    assert seeded_project.run("import_events", "-", stdin=lines).returncode == 0

    shown = [json.loads(process.stdout.readline()) for _ in range(5)]
    assert [event["id"] for event in shown] == [f"e-{number}" for number in range(5)]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, b"", b"")


def test_lines_are_coloured_and_cut_on_a_terminal(seeded_project):
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*MANAGE, "tail_events", "--no-follow"],
        env={**seeded_project.environment, "TERM": "xterm-256color", "COLUMNS": "60"},
        stdout=child,
        stderr=child,
        stdin=subprocess.DEVNULL,
    )
    os.close(child)
    shown = b""
    try:
        while chunk := os.read(parent, 65536):
            shown += chunk
    except OSError:  # how the end of a terminal is told
        pass
    os.close(parent)

    assert process.wait(timeout=30) == 0
    assert b"\x1b[3" in shown
    plain = seeded_project.run("tail_events", "--no-follow")
    assert b"\x1b" not in plain.stdout
    assert max(len(line) for line in plain.stdout.splitlines()) > 60
    for line in shown.decode().splitlines():
        visible = line.replace("\x1b[0m", "")
        for code in range(30, 38):
            visible = visible.replace(f"\x1b[{code}m", "")
        assert len(visible) <= 60
