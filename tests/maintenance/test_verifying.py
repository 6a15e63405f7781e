"""verify_events: what is wrong with a store is found and named."""

from __future__ import annotations

import json

import pytest
from permits.generator import generate
from permits.state import INITIAL, apply

from django_eventstore import Event, Snapshot, event_stores
from django_eventstore.backends.memory import InMemoryEventStore, MemoryBackend
from django_eventstore.events.upcasting import register_upcaster, unregister_upcaster
from django_eventstore.folds import register_fold, unregister_fold
from django_eventstore.maintenance.verifying import verify_store
from tests.support.commands import run
from tests.support.database import remove, tamper

pytestmark = pytest.mark.django_db


@pytest.fixture
def store():
    """A store of twenty applications, of which one has two snapshots."""
    register_fold("application-", apply, initial=INITIAL)
    store = event_stores["default"]
    store.save_events(generate(20))
    for version in (3, 5):
        replayed = store.replay("application-2022-00002", apply, INITIAL, to_version=version)
        store.save_snapshot(Snapshot("application-2022-00002", version, replayed.state))
    yield store
    unregister_fold("application-")


def verify(**options):
    """Return the exit status, the findings and the summary."""
    ended = run("verify_events", format="json", **options)
    *findings, summary = map(json.loads, ended.out.splitlines())
    return ended.status, findings, summary


def at(store, version, actor_id="application-2022-00002"):
    """Return the actor's event at a version."""
    return store.get_events(actor_id, version, limit=1)[0]


def test_a_sound_store(store):
    count = store.count_events()

    assert verify() == (
        0,
        [],
        {"events": count, "actors": 20, "snapshots": 2, "found": {}, "faults": 0},
    )
    assert (
        run("verify_events").out
        == f"{count} events, 20 actors, 2 snapshots verified: all is well.\n"
    )


def test_a_malformed_event(store):
    event = at(store, 7)
    tamper(event.position, data="[]")

    status, findings, summary = verify()

    assert status == 1
    [found] = findings
    assert (found["kind"], found["actor_id"], found["position"]) == (
        "malformed",
        event.actor_id,
        event.position,
    )
    assert summary["faults"] == 1


def test_an_upcaster_that_fails(store):
    register_upcaster("CaseAssigned", 1, lambda event: event.data["no such key"])
    try:
        status, findings, summary = verify()
    finally:
        unregister_upcaster("CaseAssigned", 1)

    assert status == 1
    assert summary["found"]["malformed"] == store.count_events(event_types=["CaseAssigned"])
    assert "no such key" in findings[0]["detail"]


def test_a_gap_is_noted_and_no_fault(store):
    store.save_event(Event("order-1", "Placed", version=3))
    store.save_event(Event("order-1", "Placed", version=7))

    status, findings, _ = verify()

    assert status == 0
    assert [(each["kind"], each["version"], each["fault"]) for each in findings] == [
        ("start", 3, False),
        ("gap", 7, False),
    ]
    assert findings[1]["detail"] == "versions 4 to 6 are missing"
    out = run("verify_events").out
    assert out.endswith("1 gap, 1 start.\nNone of it is a fault; --verbosity 2 shows each.\n")
    assert "gap: actor 'order-1', version 7, " in run("verify_events", verbosity=2).out


def test_an_event_that_is_gone(store):
    event = at(store, 4)
    remove(event.position)

    status, findings, _ = verify()

    assert status == 1
    kinds = {each["kind"] for each in findings}
    assert {"gap", "count"} <= kinds
    [gap] = [each for each in findings if each["kind"] == "gap"]
    assert (gap["actor_id"], gap["detail"]) == (event.actor_id, "versions 4 to 4 are missing")
    [count] = [each for each in findings if each["kind"] == "count"]
    assert count["actor_id"] == event.actor_id


def test_the_newest_event_is_gone(store):
    [event] = store.get_events("application-2022-00002", reverse=True, limit=1)
    remove(event.position)

    status, findings, _ = verify()

    assert status == 1
    assert ("latest version", event.actor_id) in {
        (each["kind"], each["actor_id"]) for each in findings
    }


def test_versions_out_of_order(store):
    one, two = at(store, 7), at(store, 8)
    tamper(one.position, version=1007)
    tamper(two.position, version=one.version)
    tamper(one.position, version=two.version)

    status, findings, _ = verify()

    assert status == 1
    [found] = [each for each in findings if each["kind"] == "order"]
    assert (found["event_id"], found["version"]) == (one.id, 8)
    assert (
        f"at position {one.position}, and the version before it at {two.position}"
        in found["detail"]
    )


def test_a_store_that_gives_versions_back_in_disorder():
    class DisorderlyBackend(MemoryBackend):
        def read_actor(self, namespace, actor_id, selected):
            one, two, three = super().read_actor(namespace, actor_id, selected)
            yield from (one, three, two, two)

    class Disorderly(InMemoryEventStore):
        backend_class = DisorderlyBackend

    store = Disorderly()
    store.save_events([Event("order-1", "Placed"), *[Event("order-1", "Paid") for _ in range(2)]])
    findings = []

    verify_store(store, on_finding=findings.append)

    assert [(found.kind, found.version, found.is_fault) for found in findings][:4] == [
        ("gap", 3, False),
        ("order", 2, True),
        ("order", 2, True),  # its position, too
        ("repeat", 2, True),
    ]


def test_a_snapshot_of_versions_in_disorder_is_what_a_replay_makes():
    class DisorderlyBackend(MemoryBackend):
        def read_actor(self, namespace, actor_id, selected):
            one, two, three = super().read_actor(namespace, actor_id, selected)
            yield from (one, three, two)

    class Disorderly(InMemoryEventStore):
        backend_class = DisorderlyBackend

    store = Disorderly()
    store.save_events([Event("tally-1", "Counted", {"n": number}) for number in (1, 2, 3)])
    register_fold("tally-", lambda state, event: [*state, event.data["n"]], initial=[])
    findings = []
    try:
        replayed = store.replay("tally-1", lambda state, event: [*state, event.data["n"]], [])
        store.save_snapshot(Snapshot("tally-1", replayed.version, replayed.state))

        verification = verify_store(store, on_finding=findings.append)
    finally:
        unregister_fold("tally-")

    assert (replayed.version, verification.snapshots) == (3, 1)
    assert "snapshot" not in {found.kind for found in findings}


def test_a_fold_that_keeps_an_events_data_is_compared_for_each_snapshot_by_itself(store):
    def gather(state, event):
        if not state:
            return event.data
        state["lines"].append(event.event_type)
        return state

    register_fold("list-", gather, initial={})
    try:
        store.save_events([Event("list-1", name, {"lines": []}) for name in ("A", "B", "C", "D")])
        for version in (3, 4):
            replayed = store.replay("list-1", gather, {}, to_version=version, use_snapshot=False)
            store.save_snapshot(Snapshot("list-1", version, replayed.state))

        status, findings, _ = verify()
    finally:
        unregister_fold("list-")

    assert (status, findings) == (0, [])


@pytest.mark.parametrize(
    ("malformed", "kind"), [(2, "unchecked snapshot"), (4, "snapshot")], ids=["before", "behind"]
)
def test_a_fold_that_fails_beside_a_malformed_event(store, malformed, kind):
    """What comes behind the event that the fold failed on is not to blame."""

    def apply(state, event):
        if event.version == 3:
            raise LookupError("no rule")
        return state

    register_fold("strict-", apply, initial={})
    try:
        stored = store.save_events([Event("strict-1", "Done") for _ in range(6)])
        store.save_snapshot(Snapshot("strict-1", 5, {}))
        tamper(stored[malformed - 1].position, data="[]")

        _, findings, _ = verify()
    finally:
        unregister_fold("strict-")

    assert [each["kind"] for each in findings] == ["malformed", kind]
    assert ("the fold raised LookupError: no rule" in findings[1]["detail"]) == (malformed == 4)


def test_a_snapshot_that_is_not_what_a_replay_makes(store):
    snapshot = store.get_latest_snapshot("application-2022-00002")
    store.save_snapshot(
        Snapshot(snapshot.actor_id, snapshot.version, {**snapshot.state, "cost": 1, "extra": 2})
    )

    status, findings, summary = verify()

    assert (status, summary["snapshots"]) == (1, 2)
    [found] = findings
    assert (found["kind"], found["version"]) == ("snapshot", 5)
    assert f"state['cost']: 1 != {snapshot.state['cost']}" in found["detail"]
    assert "state['extra']: 2 != (absent)" in found["detail"]


def test_snapshots_that_cannot_be_compared_are_noted(store):
    store.save_snapshot(Snapshot("application-2022-00003", 2, {}, schema_version=9))
    store.save_event(Event("order-1", "Placed"))
    store.save_snapshot(Snapshot("order-1", 1, {}))

    status, findings, _ = verify()

    assert status == 0
    assert {each["actor_id"]: each["kind"] for each in findings} == {
        "application-2022-00003": "unchecked snapshot",
        "order-1": "unchecked snapshot",
    }


def test_a_snapshot_ahead_of_its_events(store):
    state = store.get_latest_snapshot("application-2022-00002").state
    store.save_snapshot(Snapshot("application-2022-00002", 999, state))

    status, findings, _ = verify()

    assert status == 1
    assert findings[0]["detail"] == "the snapshot at version 999: there is no event of that version"


def test_another_store_is_needed_to_compare_with(store):
    ended = run("verify_events", against="default")

    assert (ended.status, ended.err) == (2, "A store cannot be compared with itself.")
