"""import_events, as a user runs it."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command
from permits.generator import generate

from django_eventstore import event_stores
from django_eventstore.events.ndjson import to_line
from tests.maintenance.transfer.importing import import_file
from tests.support.factories import application_history


@pytest.fixture(params=["memory", pytest.param("default", marks=pytest.mark.django_db)])
def store(request, settings):
    """An empty store, by the alias ``store.alias``."""
    settings.EVENT_STORES = dict(settings.EVENT_STORES)  # a new memory
    return event_stores[request.param]


def test_the_summary_for_scripts(store, ndjson):
    file = ndjson(*application_history("application-1"), b"nonsense\n")

    status, out, _ = import_file(store, file, on_error="skip", format="json")

    assert status == 1
    summary = json.loads(out)
    assert summary["bad_lines"][0]["number"] == 3
    assert "is not JSON" in summary.pop("bad_lines")[0]["reason"]
    assert summary == {
        "line": 3,
        "new": 2,
        "already_stored": 0,
        "bad": 1,
        "stopped": False,
        "interrupted": False,
        "dry_run": False,
    }


@pytest.mark.parametrize("what", ["no store", "no file", "a directory"])
def test_what_cannot_be_opened_is_named(store, tmp_path, what):
    file = {"no store": "-", "no file": tmp_path / "none.ndjson", "a directory": tmp_path}[what]
    with pytest.raises(CommandError) as error:
        call_command(
            "import_events", str(file), store="no such" if what == "no store" else "memory"
        )

    assert error.value.returncode == 2
    expected = "no store 'no such'" if what == "no store" else f"Cannot read '{file}'"
    assert expected in str(error.value)


def test_from_standard_input(project):
    events = list(generate(40))

    done = project.run("import_events", "-", stdin=b"".join(map(to_line, events)))

    assert done.returncode == 0
    assert done.stdout.decode().startswith(f"{len(events)} new events stored")
    assert b"\x1b" not in done.stdout + done.stderr
    assert project.count() == len(events)


def test_wrong_arguments_are_status_2_and_help_has_examples(project):
    wrong = project.run("import_events", "x", "--batch-size", "0")
    assert wrong.returncode == 2
    assert b"'0' is no whole number from 1 up" in wrong.stderr
    shown = project.run("import_events", "--help").stdout.decode()
    assert "zcat events.ndjson.gz | manage.py import_events -" in shown
    assert "exit status: 0 every event is stored" in shown
