"""The sample project: its made-up data, its rules, and `make demo`."""

from __future__ import annotations

import itertools
import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from permits import commands
from permits.generator import generate
from permits.state import INITIAL, apply
from sample import nats

from django_eventstore import event_stores
from django_eventstore.events.ndjson import to_line
from tests.servers.scratch import free_port
from tests.support import DATA
from tests.support.factories import application_history
from tests.support.project import MANAGE

PERMITS = DATA / "permits.ndjson"


# -- the generator


def test_the_same_seed_makes_the_same_events():
    assert list(map(to_line, generate(50))) == list(map(to_line, generate(50)))
    assert {event.id for event in generate(50)}.isdisjoint(
        event.id for event in generate(50, seed=1)
    )


def test_the_events_are_what_a_municipality_would_have():
    events = list(generate(2000))
    lengths = Counter(event.actor_id for event in events)

    assert len(lengths) == 2000
    assert max(lengths.values()) > 150
    assert sorted(lengths.values())[1000] < 15
    assert all(one.timestamp <= two.timestamp for one, two in itertools.pairwise(events))
    assert len({event.id for event in events}) == len(events)
    latest: dict[str, str] = {}
    for event in events:
        assert event.correlation_id == event.actor_id
        assert event.causation_id == latest.get(event.actor_id)
        latest[event.actor_id] = event.id
    assert {event.user_id for event in events} > {None, "a.bakker"}


def test_every_history_ends_in_a_state_that_makes_sense():
    states: dict[str, dict] = {}
    for event in generate(300):
        states[event.actor_id] = apply(states.get(event.actor_id, INITIAL), event)

    assert {state["status"] for state in states.values()} == {"granted", "refused", "withdrawn"}
    assert all(not state["missing_documents"] for state in states.values())
    assert all(
        state["fee_due_cents"] == 0 or state["status"] == "withdrawn" for state in states.values()
    )


def test_a_history_of_the_factories_folds():
    history = application_history("application-1", notes=4)

    state = INITIAL
    for event in history:
        state = apply(state, event)

    assert (state["status"], state["notes"]) == ("in progress", 4)
    assert state["handler"] == history[1].data["handler"]


# -- the rules


@pytest.fixture
def application(db):
    """The id of an application that was just submitted."""
    commands.submit(
        "application-1", applicant="Noor Smit", work="dormer", address="Brink 1", cost=9000
    )
    return "application-1"


def state_of(application_id):
    return event_stores["default"].replay(application_id, apply, INITIAL).state


def test_an_application_is_granted(application):
    commands.assign(application, "a.bakker")
    commands.request_documents(application, ["site plan", "elevations"])
    with pytest.raises(commands.PermitError, match="Documents are missing: site plan, elevations"):
        commands.grant(application, conditions=[])
    commands.receive_documents(application, ["elevations", "site plan"])

    [granted] = commands.grant(application, conditions=["start within a year"])

    assert granted.version == 6
    assert state_of(application)["status"] == "granted"
    with pytest.raises(commands.PermitError, match="is not open: its status is granted"):
        commands.withdraw(application)


def test_what_is_done_already_is_not_done_again(application):
    commands.assign(application, "a.bakker")
    assert commands.assign(application, "a.bakker") == []
    commands.request_documents(application, ["site plan"])
    assert commands.request_documents(application, ["site plan"]) == []
    with pytest.raises(commands.PermitError, match="was submitted already"):
        commands.submit(application, applicant="", work="", address="", cost=0)
    assert event_stores["default"].get_latest_version(application) == 4


def test_the_confirmation_is_caused_by_the_submission(application):
    submitted, confirmed = event_stores["default"].get_events(application)

    assert confirmed.causation_id == submitted.id
    assert confirmed.correlation_id == submitted.id


# -- make demo


def test_the_demo_runs_on_nothing_and_again(tmp_path, project):
    project.database.unlink()

    first = project.run("demo", "--actors", "60")
    again = project.run("demo", "--actors", "60")

    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert f"{project.count()} new events stored in" in first.stdout.decode()
    assert f"{project.count()} already stored." in again.stdout.decode()
    for done in (first, again):
        out = done.stdout.decode()
        assert "ApplicationSubmitted" in out
        assert "The state of application-2022-" in out
        assert "http://127.0.0.1:8000/admin/" in out
        assert "login admin, password admin" in out
        assert done.stderr == b""
    assert project.run("verify_events").returncode == 0


def test_the_demo_imports_a_file(project):
    if not PERMITS.exists():
        pytest.skip(f"there is no {PERMITS}")

    done = project.run("demo", "--data", str(PERMITS))

    assert done.returncode == 0, done.stderr
    out = done.stdout.decode()
    assert "8,577 new events stored, 0 already stored, 0 bad lines." in out
    assert "Replaying permit-case-" in out
    assert "--state" not in out  # nobody says how the state of such an actor is made
    assert b"'none.ndjson' is no file" in project.run("demo", "--data", "none.ndjson").stderr


def test_the_demo_replays_what_it_imported(project, tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(map(to_line, application_history("order 1", notes=2))))
    assert project.run("demo", "--actors", "20").returncode == 0

    done = project.run("demo", "--data", str(file))

    assert done.returncode == 0, done.stderr
    assert "Replaying order 1\n" in done.stdout.decode()
    assert "manage replay_events 'order 1' --to-version 3\n" in done.stdout.decode()


def test_the_demo_imports_a_file_of_nothing(project, tmp_path):
    file = tmp_path / "empty.ndjson"
    file.touch()

    done = project.run("demo", "--data", str(file))

    assert done.returncode == 0, done.stderr
    assert "The store holds" in done.stdout.decode()
    assert "Replaying" not in done.stdout.decode()


def test_a_store_that_the_project_does_not_know_is_refused(project):
    done = project.run("check", SAMPLE_STORE="databse")

    assert done.returncode != 0
    assert b"SAMPLE_STORE (STORE of make) is database or jetstream, not 'databse'" in done.stderr


def test_the_project_has_no_fault_that_django_knows_of(project):
    done = project.run("check", "--fail-level", "WARNING")

    assert done.returncode == 0, done.stderr
    assert project.run("makemigrations", "--check", "--dry-run").returncode == 0


@pytest.mark.needs("nats-server")
def test_the_demo_starts_a_nats_server_where_none_answers(project, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(nats, "PORT", free_port())
    manage = Path(MANAGE[1])

    nats.ensure_server(manage, tmp_path / "nats")
    nats.ensure_server(manage, tmp_path / "nats")

    started = capsys.readouterr().err
    assert started.count("Started a NATS server") == 1
    pid = int(started.rpartition("kill ")[2])
    try:
        url = f"nats://127.0.0.1:{nats.PORT}/permits"
        for expected in ("new events stored in", "\n0 new events stored in"):
            done = project.run("demo", "--actors", "30", EVENT_STORE_URL=url)
            assert done.returncode == 0, done.stderr
            assert expected in done.stdout.decode()
            assert "The state of application-2022-" in done.stdout.decode()
        assert project.count() == 0
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
