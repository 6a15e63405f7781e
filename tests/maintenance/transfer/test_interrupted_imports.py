"""An import that is stopped or killed, or runs twice at once: every event is stored once."""

from __future__ import annotations

import json
import signal
from functools import partial

import pytest
from permits.generator import generate

from django_eventstore.backends.memory import InMemoryEventStore
from django_eventstore.events.ndjson import Line, to_line
from django_eventstore.maintenance.transfer import import_events
from tests.servers.process import wait_until
from tests.support.factories import application_history


@pytest.mark.parametrize("rivals", [1, 50, 99])
def test_two_imports_of_one_file_at_once_share_the_work(rivals):
    events = application_history("application-1", notes=200)
    lines = [Line(number, event) for number, event in enumerate(events, 1)]

    class SharedStore(InMemoryEventStore):
        def save_events(self, given):
            # Between our look at what is stored and our append the other stores a part of it.
            if self.count_events() < rivals:
                super().save_events(events[:rivals])
            return super().save_events(given)

    report = import_events(SharedStore(), lines, batch_size=100)

    assert (report.new, report.already_stored, report.bad) == (202 - rivals, rivals, 0)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_at_any_point_it_can_be_run_again(project, ndjson, how):
    events = list(generate(150))
    lines = [to_line(event) for event in events]
    process = project.start("import_events", "-", "--batch-size", "20")
    # It waits for the rest of its input when it is stopped, with part of a batch in hand.
    process.stdin.write(b"".join(lines[:509]))
    process.stdin.flush()
    wait_until(lambda: project.count() == 500, "500 are imported")

    process.send_signal(how)
    out, err = process.communicate(timeout=60)

    if how == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130, err
        assert out == b"500 new events stored, 0 already stored, 0 bad lines.\n"
        assert b"Run the same command again to go on." in err
    assert project.count() == 500

    done = project.run("import_events", str(ndjson(*lines)))

    assert done.returncode == 0
    assert done.stdout.decode().startswith(f"{len(events) - 500} new events stored, 500 already")
    assert project.count() == len(events)


def _progressed(project, before, process):
    return project.count() > before or process.poll() is not None


def test_killed_in_the_middle_of_writing_it_can_be_run_again(project, ndjson):
    events = list(generate(600))
    file = ndjson(*events)
    for _ in range(3):
        before = project.count()
        process = project.start("import_events", str(file), "--batch-size", "50")
        wait_until(partial(_progressed, project, before, process), "it goes on")
        process.kill()
        process.communicate()
        assert project.count() % 50 in (0, len(events) % 50)  # never half a batch

    done = project.run("import_events", str(file), "--format", "json")

    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["new"] + report["already_stored"] == project.count() == len(events)


def test_two_processes_import_one_file_at_once(project, ndjson):
    events = list(generate(300))
    file = str(ndjson(*events))

    both = [project.start("import_events", file, "--format", "json") for _ in range(2)]
    ended = [process.communicate(timeout=60) for process in both]

    assert [process.returncode for process in both] == [0, 0], ended
    reports = [json.loads(out) for out, _ in ended]
    assert project.count() == len(events)
    assert all(report["new"] + report["already_stored"] == len(events) for report in reports)
    assert all(report["bad"] == 0 for report in reports)
