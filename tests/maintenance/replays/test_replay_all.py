"""replay_events --all: all of history again, through a handler or two folds."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import defaultdict

import pytest
from permits.generator import generate
from permits.state import INITIAL, apply

from django_eventstore import Event, event_stores
from django_eventstore.backends.memory import InMemoryEventStore
from django_eventstore.folds import register_fold, unregister_fold
from django_eventstore.maintenance.replays.running import compare_all
from django_eventstore.models import SkippedEvent
from tests.support.commands import run
from tests.support.database import tamper
from tests.support.project import MANAGE

pytestmark = pytest.mark.django_db
handled: list[Event] = []


@pytest.fixture
def store():
    """A store of thirty applications, with their fold."""
    handled.clear()
    register_fold("application-", apply, initial=INITIAL)
    store = event_stores["default"]
    store.save_events(generate(30))
    yield store
    unregister_fold("application-")


def handler(event):
    handled.append(event)


def picky(event):
    """A handler that fails for some, with texts that vary."""
    if event.event_type == "FeePaid":
        raise ValueError(f"no account for {event.data['cents']} cents of {event.actor_id!r}")
    if event.event_type == "SiteInspected":
        raise KeyError("inspector")


def generous(state, event):
    """Another fold: fees are halved."""
    if event.event_type == "FeeCharged":
        return {**state, "fee_due_cents": state["fee_due_cents"] + event.data["cents"] // 2}
    return apply(state, event)


def failing(state, event):
    raise LookupError("not written yet")


def counting(state, event):
    return {"kinds": {"a", "b"}, "open": True, "sum": 100}


def counting_otherwise(state, event):
    """The same, but for a number of another type; the order of keys is no difference."""
    return {"sum": 100.0, "open": True, "kinds": ["a", "b"]}


def named(function):
    return f"{__name__}.{function}"


def test_a_handler_gets_every_event_in_order(store):
    ended = run("replay_events", "--all", "--handler", named("handler"))

    assert ended == (0, f"{len(handled)} events replayed.\n", "")
    assert handled == list(store.read_all())

    handled.clear()
    run("replay_events", "--all", "--handler", named("handler"), after=100)
    assert handled == list(store.read_all(100))


def test_what_a_handler_raises_is_counted_by_cause(store):
    ended = run("replay_events", "--all", "--handler", named("picky"))

    paid = store.count_events(event_types=["FeePaid"])
    inspected = store.count_events(event_types=["SiteInspected"])
    assert ended.status == 1
    assert ended.err == f"The handler failed for {paid + inspected} events."
    lines = ended.out.splitlines()[1:]
    assert len(lines) == 2
    assert lines[0].startswith(f"  {paid} failed: ValueError: no account for ")
    assert lines[1].startswith(f"  {inspected} failed: KeyError: 'inspector' (first: position ")


def test_malformed_events_are_counted_by_cause(store):
    for event in list(store.read_all(limit=3)):
        tamper(event.position, data="[1]")
    other = list(store.read_all(limit=10))[-1]
    tamper(other.position, metadata='{"user_id": 7}')

    ended = run("replay_events", "--all", "--handler", named("handler"), format="json")

    assert ended.status == 1
    assert ended.err == "4 malformed events."
    causes = json.loads(ended.out)["malformed"]
    assert sorted(cause["count"] for cause in causes) == [1, 3]
    assert {cause["first"]["position"] for cause in causes} == {1, other.position}


def test_the_same_fold_makes_the_same_states(store):
    ended = run("replay_events", "--all", "--compare-with", "permits.state.apply")

    assert ended.status == 0
    count = store.count_events()
    assert ended.out == (
        f"30 actors with {count} events compared, 0 with another state; "
        "0 without a registered fold.\n"
    )


def test_actors_whose_state_differs_are_shown(store):
    store.save_event(Event("order-1", "Placed"))
    changed = {
        actor.actor_id
        for actor in store.get_actors()
        if store.replay(actor.actor_id, apply, INITIAL).state
        != store.replay(actor.actor_id, generous, INITIAL).state
    }

    ended = run("replay_events", "--all", "--compare-with", named("generous"), format="json")

    assert ended.status == 1
    *differences, summary = map(json.loads, ended.out.splitlines())
    assert {each["actor_id"] for each in differences} == changed
    assert all("state['fee_due_cents']: " in each["differences"][0] for each in differences)
    assert (summary["differences"], summary["without_fold"]) == (len(changed), 1)
    assert ended.err == f"{len(changed)} states not the same."


def test_states_are_compared_as_json(store):
    folds = ("--apply", named("counting"), "--compare-with", named("counting_otherwise"))
    ended = run("replay_events", "--all", *folds, format="json")

    *differences, _ = map(json.loads, ended.out.splitlines())
    assert len(differences) == 30
    assert all(each["differences"] == ["state['sum']: 100 != 100.0"] for each in differences)


def test_a_fold_that_does_not_exist_is_told_before_any_event_is_read():
    with pytest.raises(ImportError):
        compare_all(InMemoryEventStore(), "no.such", "no.other")


def test_a_fold_that_raises_is_a_difference(store):
    ended = run(
        "replay_events",
        "--all",
        "--compare-with",
        named("failing"),
        "--apply",
        "permits.state.apply",
        "--initial",
        '{"status": "none"}',
    )

    assert ended.status == 1
    assert '!= "raised LookupError: not written yet, at version 1"' in ended.out
    assert ended.err == "30 states not the same."


def test_workers_keep_the_order_of_each_actor(seeded_project, tmp_path):
    records = tmp_path / "records"
    (tmp_path / "recording.py").write_text(
        "import os\n"
        "def record(event):\n"
        "    file = os.open(os.environ['RECORDS'], os.O_WRONLY | os.O_CREAT | os.O_APPEND)\n"
        "    os.write(file, f'{event.actor_id} {event.version}\\n'.encode())\n"
        "    os.close(file)\n"
    )
    done = seeded_project.run(
        *("replay_events", "--all", "--handler", "recording.record", "--workers", "3"),
        RECORDS=str(records),
        PYTHONPATH=str(tmp_path),
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == f"{seeded_project.count():,} events replayed.\n"
    histories = defaultdict(list)
    for line in records.read_text().splitlines():
        actor_id, version = line.split()
        histories[actor_id].append(int(version))
    # A batch that the database refused for a moment is done again: what the handler does outside of
    # it may repeat, in order.
    done_once = {actor: list(dict.fromkeys(versions)) for actor, versions in histories.items()}
    assert all(versions == list(range(1, len(versions) + 1)) for versions in done_once.values())
    assert sum(map(len, done_once.values())) == seeded_project.count()
    compared = seeded_project.run(
        *("replay_events", "--all", "--compare-with", "permits.state.apply", "--workers", "2")
    )
    assert compared.returncode == 0
    assert b"300 actors with" in compared.stdout


def test_workers_that_all_die_are_told(seeded_project, tmp_path):
    (tmp_path / "dying.py").write_text("import os\ndef die(event):\n    os.kill(os.getpid(), 9)\n")

    done = seeded_project.run(
        *("replay_events", "--all", "--handler", "dying.die", "--workers", "2"),
        PYTHONPATH=str(tmp_path),
    )

    assert done.returncode == 1
    assert done.stderr.count(b"A worker was killed by signal 9") == 2
    assert b"All worker processes were killed before the work was done. To go on, " in done.stderr


def test_a_run_of_another_name_or_task_is_not_joined(seeded_project):
    replay = ("replay_events", "--all", "--run", "tried", "--handler")
    assert seeded_project.run(*replay, "permits.state.apply").returncode == 1

    other = seeded_project.run(*replay, "json.dumps")

    assert other.returncode == 1
    assert b"The run 'tried' is another one: " in other.stderr
    assert b"Give this one another name." in other.stderr


def test_skipped_events_are_no_fault(store):
    position = next(store.read_all()).position
    tamper(position, data="[1]")
    SkippedEvent.objects.create(store="default", position=position, reason="known")

    ended = run("replay_events", "--all", "--handler", named("handler"))
    compared = run("replay_events", "--all", "--compare-with", "permits.state.apply")

    assert (ended.status, compared.status) == (0, 0)
    assert ended.out.endswith("  1 malformed event passed over, marked as skipped\n")
    assert compared.out.endswith("  1 malformed event passed over, marked as skipped\n")


def test_a_store_in_memory_cannot_be_shared():
    ended = run("replay_events", "--all", "--handler", "json.dumps", store="memory", workers=2)

    assert ended.status == 1
    assert ended.err.startswith("Other processes cannot read")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_workers_end_in_order_whenever_the_group_is_told_to(seeded_project, tmp_path, number):
    """As Ctrl-C on a terminal and a service manager tell all processes, also those that start."""
    (tmp_path / "slow.py").write_text("import time\ndef wait(event):\n    time.sleep(0.01)\n")
    for _ in range(4):
        command = subprocess.Popen(
            [*MANAGE, "replay_events", "--all", "--handler", "slow.wait", "--workers", "2"],
            env={**seeded_project.environment, "PYTHONPATH": str(tmp_path)},
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        begun = command.stderr.readline().decode()
        time.sleep(random.uniform(0, 1.2))
        os.killpg(command.pid, number)
        told = command.communicate(timeout=60)[1].decode()

        run_name = begun.split()[3].rstrip(":")
        assert command.returncode == 130, told
        assert told.splitlines()[-1] == (
            f"CommandError: Stopped. To go on, run it again with --run {run_name}."
        )
        assert "Traceback" not in told
