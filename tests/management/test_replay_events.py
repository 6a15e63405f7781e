"""replay_events: what happened to an actor, and what became of it."""

from __future__ import annotations

import json

import pytest

from django_eventstore import Event, Snapshot, event_stores
from django_eventstore.backends.memory import InMemoryEventStore, MemoryBackend
from django_eventstore.events import ReplayError
from django_eventstore.folds import register_fold, unregister_fold
from tests.support import commands

BIDI = "\u202egnp.exe"


class ForgetfulBackend(MemoryBackend):
    """Cannot read its events of the type ``broken``."""

    def read_actor(self, namespace, actor_id, selected):
        for item in super().read_actor(namespace, actor_id, selected):
            if item.event_type == "broken":
                yield ReplayError(
                    item.position, b'{"n": \x1b[31m', ValueError("cut\x1b off"), actor_id
                )
            else:
                yield item


class ForgetfulStore(InMemoryEventStore):
    backend_class = ForgetfulBackend


@pytest.fixture
def store(settings):
    """A store with the history of the actor ``account-1``."""
    settings.EVENT_STORES = {
        "default": {"BACKEND": f"{__name__}.ForgetfulStore"},
        "other": {"BACKEND": f"{__name__}.ForgetfulStore"},
    }
    store = event_stores["default"]
    for amount in (100, -30, 5):
        event = Event("account-1", "Moved", {"amount": amount}, metadata={"user_id": "7"})
        store.save_event(event)
    return store


def total(state, event):
    """A fold: the sum of what was moved."""
    return {"balance": state.get("balance", 0) + event.data["amount"]}


def failing(state, event):
    raise LookupError(f"no rule for {event.event_type}")


@pytest.fixture
def registered():
    register_fold("account-", total, initial={})
    yield
    unregister_fold("account-")


def run(*arguments, **options):
    """Run the command; return how it ended."""
    return commands.run("replay_events", *arguments, **options)


def test_the_events_as_a_table(store):
    status, out, _ = run("account-1")

    assert status == 0
    lines = out.splitlines()
    assert lines[0].split() == ["version", "time", "event", "by", "data"]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3"]
    assert '{"amount":-30}' in lines[2]


def test_the_events_as_json_are_all_there_is_to_know(store):
    status, out, _ = run("account-1", format="json")

    assert status == 0
    shown = json.loads(out)
    assert [Event.from_dict(document) for document in shown["events"]] == store.get_events(
        "account-1"
    )
    assert shown["errors"] == []


def test_a_range_of_versions(store):
    _, out, _ = run("account-1", from_version=2, to_version=2, format="json")

    assert [event["version"] for event in json.loads(out)["events"]] == [2]


def test_the_state_with_a_function_that_is_named(store):
    status, out, _ = run("account-1", "--apply", f"{__name__}.total", format="json")

    assert status == 0
    shown = json.loads(out)
    assert (shown["state"], shown["version"], shown["events_applied"]) == ({"balance": 75}, 3, 3)

    _, out, _ = run(
        "account-1", "--apply", f"{__name__}.total", "--initial", '{"balance": 1000}', to_version=2
    )
    assert out == "account-1 at version 2 (2 events applied)\n  balance  1070\n"


def test_the_state_with_the_registered_fold_starts_at_a_snapshot(store, registered):
    store.save_snapshot(Snapshot("account-1", 2, {"balance": 70}))

    status, out, _ = run("account-1", state=True)

    assert status == 0
    assert out.splitlines()[0] == (
        "account-1 at version 3 (1 event applied on the snapshot at version 2)"
    )
    assert "balance  75" in out


def test_a_function_that_is_named_does_not_start_at_a_snapshot_of_another(store):
    store.save_snapshot(Snapshot("account-1", 2, {"other": "form"}))

    _, out, _ = run("account-1", "--apply", f"{__name__}.total", format="json")

    assert json.loads(out)["state"] == {"balance": 75}


def test_malformed_events_are_shown_and_tell_in_the_status(store, registered):
    store.save_event(Event("account-1", "broken"))
    store.save_event(Event("account-1", "Moved", {"amount": 1}))

    status, out, error = run("account-1")
    assert (status, error) == (1, "1 malformed event: see above.")
    assert "Malformed event at position 4 of actor 'account-1': cut\\u001b off" in out
    assert '  stored: {"n": \\u001b[31m' in out
    assert out.splitlines()[4].split()[0] == "5"

    status, out, error = run("account-1", state=True, format="json")
    assert status == 1
    shown = json.loads(out)
    assert shown["state"] == {"balance": 76}
    assert shown["errors"] == [
        {
            "position": 4,
            "actor_id": "account-1",
            "error": "cut\x1b off",
            "cause": "ValueError",
            "raw": '{"n": \x1b[31m',
        }
    ]


def test_what_the_fold_raises_is_named_with_its_event(store):
    status, _, error = run("account-1", "--apply", f"{__name__}.failing")

    assert status == 1
    assert error.startswith(
        "The fold raised LookupError: no rule for Moved (while applying 'Moved'"
    )


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        (["nobody"], {}, "There are no events of 'nobody'"),
        (["account-1"], {"from_version": 9}, "account-1 has no events there: it is at version 3."),
        (["account-1"], {"store": "other"}, "There are no events of 'account-1'"),
        (["account-1"], {"namespace": "elsewhere"}, "There are no events of 'account-1'"),
        (["account-1"], {"namespace": "a\nb"}, "namespace: holds the control character"),
        (["account-1"], {"state": True}, "No fold is registered for 'account-1'"),
        ([""], {}, "actor_id: must not be empty"),
        (["account-1", "--apply", "no.such.fold"], {}, "cannot import 'no.such.fold'"),
        (["account-1", "--apply", "json.__doc__"], {}, "is not callable"),
        (["account-1", "--initial", "{"], {}, "argument --initial: '{' is not JSON"),
        (["account-1", "--from-version", "-1"], {}, "is no whole number from 0 up"),
    ],
)
def test_what_is_wrong_is_named(store, arguments, options, expected):
    status, _, error = run(*arguments, **options)

    assert status != 0
    assert expected in error


def test_what_is_stored_cannot_act_on_the_terminal(store):
    store.save_event(Event(f"a{BIDI}", f"type{BIDI}", {"k\x1b]0;": "\x9b31m\x7f\r\n\u2028"}))

    for output in ("table", "json"):
        status, out, _ = run(f"a{BIDI}", format=output)
        assert status == 0
        assert out.endswith("\n")
        assert all(line.isprintable() for line in out.split("\n"))
    assert json.loads(out)["events"][0]["data"] == {"k\x1b]0;": "\x9b31m\x7f\r\n\u2028"}
    assert json.loads(out)["actor_id"] == f"a{BIDI}"


def test_as_a_user_runs_it(seeded_project):
    shown = seeded_project.run("replay_events", "application-2022-00001", "--state")
    assert shown.returncode == 0
    assert b"applicant" in shown.stdout

    missing = seeded_project.run("replay_events", "application-1999-00001")
    assert missing.returncode == 1
    assert missing.stderr.startswith(b"CommandError: There are no events of")
    for wrong in ([], ["a", "--initial", "{"], ["a", "--store", "b"], ["a" * 256]):
        assert seeded_project.run("replay_events", *wrong).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--all"], "give either --handler or --compare-with"),
        (["--all", "--handler", "json.dumps", "--compare-with", "json.dumps"], "give either"),
        (["order-1", "--workers", "2"], "--workers goes with --all"),
        (["--all", "--handler", "json.dumps", "--run", ""], "a name has 1 to 248 characters"),
        (["--all", "--handler", "json.dumps", "--run", "x" * 249], "a name has 1 to 248"),
        (["order-1", "--run", "x"], "--run goes with --all"),
        (["order-1", "--lease-seconds", "5"], "--lease-seconds goes with --all"),
        (["--all", "--handler", "json.dumps", "--state"], "--state goes with an actor"),
        (["--all", "--handler", "json.dumps", "--apply", "json.dumps"], "--compare-with"),
        (["--all", "--compare-with", "json.dumps", "--after", "3"], "--after goes with --handler"),
        (["--all", "order-1"], "Name an actor, or give --all."),
        (["--all", "--handler", "no.such"], "cannot import 'no.such'"),
        (["--all", "--handler", "json.dumps", "--workers", "0"], "whole number from 1"),
    ],
)
def test_wrong_arguments(arguments, expected):
    status, _, error = run(*arguments)

    assert status != 0
    assert expected in error
