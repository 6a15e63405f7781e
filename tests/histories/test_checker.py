"""The checker finds each defect in a history made by hand, and none in a good one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.histories.checker import History, check
from tests.histories.operations import NEVER, Operation, Recorder, Stored, read_operations


def append(client, begin, end, *found, expected=None, outcome="ok", **fields):
    """An append; `found` are (id, actor, version, position)."""
    found = tuple(Stored(*each) for each in found)
    return Operation(
        client,
        "append",
        begin,
        end,
        outcome,
        events=tuple((event.id, event.actor) for event in found),
        expected=expected,
        found=found if outcome == "ok" else (),
        **fields,
    )


def read(client, begin, end, *found, after=0, actor="x"):
    found = tuple(Stored(*each) for each in found)
    return Operation(client, "read", begin, end, "ok", actor=actor, after=after, found=found)


def latest(client, begin, end, version, actor="x"):
    return Operation(client, "latest", begin, end, "ok", actor=actor, version=version)


def tail(client, begin, end, *found, after=0):
    found = tuple(Stored(*each) for each in found)
    return Operation(client, "tail", begin, end, "ok", after=after, found=found)


E1, E2, E3 = ("e1", "x", 1, 10), ("e2", "x", 2, 20), ("e3", "x", 3, 30)
Y1 = ("y1", "y", 1, 25)
WRITTEN = [
    append("a", 0, 10, E1, expected=0),
    append("b", 20, 30, E2, expected=1),
    append("a", 22, 40, Y1),
    append("a", 50, 60, E3, expected=2),
]


def history(*operations, log=(E1, E2, Y1, E3), actors=None, **options):
    log = [Stored(*each) for each in log]
    if actors is None:
        actors = {
            name: [event for event in log if event.actor == name]
            for name in {event.actor for event in log}
        }
    return History([*operations], log, actors, **options)


def kinds(*operations, **options):
    return {defect.kind for defect in check(history(*operations, **options))}


@pytest.mark.parametrize(
    "more",
    [
        pytest.param([], id="appends"),
        pytest.param([read("c", 12, 14, E1), read("c", 61, 62, E1, E2, E3)], id="reads"),
        pytest.param([read("c", 25, 26, E1), read("d", 24, 27, E1, E2)], id="reads beside a write"),
        pytest.param([read("c", 21, 23, E2, after=2)], id="a read of the tail"),
        pytest.param([latest("c", 0, 1, 0), latest("c", 5, 6, 1)], id="latest versions"),
        pytest.param(
            [
                append("c", 21, 35, ("z", "x", 0, 0), expected=1, outcome="conflict", version=2),
                append("c", 0, 1, ("w", "x", 0, 0), outcome="failed"),
                append("c", 2, NEVER, ("v", "x", 0, 0), outcome="unknown"),
            ],
            id="refused, failed, unknown",
        ),
        pytest.param([append("a", 70, 80, E1, expected=0)], id="saved again, later"),
        pytest.param([tail("c", 41, 42, E1, E2), tail("c", 43, 61, Y1, E3, after=20)], id="tail"),
    ],
)
def test_a_history_that_one_log_explains_has_no_defect(more):
    assert check(history(*WRITTEN, *more)) == []


def test_what_is_unknown_may_be_stored_or_not_and_at_any_later_time():
    lost = append("a", 0, NEVER, E1, outcome="unknown")
    assert check(history(lost, log=[])) == []
    late = append("b", 0, 5, ("e2", "x", 2, 20), outcome="unknown")
    first = append("a", 10, 20, E1)
    assert check(history(first, late, log=(E1, E2))) == []


def test_a_second_attempt_settles_what_the_first_left_open():
    first = append("a", 0, 5, E1, outcome="unknown", expected=0)
    again = append("a", 6, 9, E1, expected=0)
    assert check(history(first, again, log=[E1])) == []
    assert kinds(first, again, log=[]) == {"acknowledged and lost"}
    failed = replace(again, outcome="failed", found=())
    assert check(history(first, failed, log=[E1])) == []


@pytest.mark.parametrize(
    ("kind", "operations", "log"),
    [
        pytest.param("acknowledged and lost", WRITTEN, (E1, E2, Y1), id="lost"),
        pytest.param(
            "stored twice", WRITTEN, (E1, E2, Y1, E3, ("e3", "x", 4, 40)), id="stored twice"
        ),
        pytest.param("stored by nobody", WRITTEN, (E1, E2, Y1, E3, ("?", "x", 9, 90)), id="alien"),
        pytest.param(
            "position order", WRITTEN, (E1, Y1, E2, E3), id="log not in order of positions"
        ),
        pytest.param(
            "version order",
            [append("a", 0, 5, ("e2", "x", 2, 1)), append("a", 6, 7, ("e1", "x", 1, 2))],
            (("e2", "x", 2, 1), ("e1", "x", 1, 2)),
            id="versions against positions",
        ),
        pytest.param(
            "version order",
            [append("a", 0, 5, ("e1", "x", 1, 1)), append("b", 0, 7, ("e2", "x", 1, 2))],
            (("e1", "x", 1, 1), ("e2", "x", 1, 2)),
            id="one version twice",
        ),
        pytest.param(
            "acknowledged elsewhere",
            [append("a", 0, 9, ("e1", "x", 2, 10))],
            (E1,),
            id="another version than acknowledged",
        ),
        pytest.param(
            "half an append", [append("a", 0, 9, E1, E2, outcome="unknown")], (E1,), id="half"
        ),
        pytest.param(
            "append out of order",
            [append("a", 0, 9, E1, E2, outcome="unknown")],
            (("e2", "x", 1, 10), ("e1", "x", 2, 20)),
            id="batch turned round",
        ),
        pytest.param(
            "append out of order",
            [append("a", 0, 9, E1, outcome="unknown")],
            (("e1", "y", 1, 10),),
            id="another actor's",
        ),
        pytest.param(
            "refused and stored",
            [append("a", 0, 9, E1, expected=0, outcome="conflict", version=1)],
            (E1,),
            id="refused and stored",
        ),
        pytest.param(
            "failed and stored", [append("a", 0, 9, E1, outcome="failed")], (E1,), id="failed"
        ),
        pytest.param(
            "stored at another version",
            [append("a", 0, 9, E1, expected=0), append("b", 5, 9, E2, expected=0)],
            (E1, E2),
            id="two winners at one expected version",
        ),
        pytest.param(
            "wrong answer",
            [Operation("a", "latest", 0, 9, "wrong", actor="x", detail="KeyError: 'x'")],
            (),
            id="an error that is none of ours",
        ),
        # Client c appends where nobody else does, and is told that somebody did.
        pytest.param(
            "conflict without one",
            [append("c", 0, 9, E1, expected=0, outcome="conflict", version=0)],
            (),
            id="conflict at the expected version",
        ),
        pytest.param(
            "conflict without one",
            [append("c", 0, 9, E1, outcome="conflict", version=7)],
            (),
            id="conflict of an append that expects nothing",
        ),
        pytest.param(
            "order",
            [
                append("a", 20, 30, E1),
                append("c", 0, 9, E2, expected=0, outcome="conflict", version=1),
            ],
            (E1,),
            id="conflict with what comes later",
        ),
        pytest.param(
            "order",
            [append("a", 20, 30, E1), append("b", 0, 9, E2)],
            (E1, E2),
            id="acknowledged before what it stands behind began",
        ),
    ],
)
def test_each_broken_promise_of_writing_is_found(kind, operations, log):
    assert kind in kinds(*operations, log=log)


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        pytest.param("order", read("c", 61, 62, E1, E2), id="misses what was acknowledged"),
        pytest.param("order", read("c", 12, 13), id="empty after an acknowledged append"),
        pytest.param("order", read("c", 0, 19, E1, E2), id="sees what nobody had begun to write"),
        pytest.param("order", latest("c", 61, 62, 2), id="latest version behind"),
        pytest.param("order", latest("c", 61, 62, 0), id="latest version unknown"),
        pytest.param("read with holes", read("c", 61, 62, E1, E3), id="hole"),
        pytest.param("read with holes", read("c", 61, 62, E2, E3), id="misses the first"),
        pytest.param(
            "read with holes", read("c", 61, 62, E1, E2, E3, ("?", "x", 4, 40)), id="more"
        ),
        pytest.param("latest version that is none", latest("c", 61, 62, 4), id="no such version"),
        pytest.param("skipped", tail("c", 61, 62, E1, Y1), id="page with a hole"),
        pytest.param("skipped", tail("c", 61, 62, E3, after=10), id="page starts late"),
    ],
)
def test_each_broken_promise_of_reading_is_found(kind, operation):
    assert kind in kinds(*WRITTEN, operation)


def test_reads_that_go_back_are_found():
    going_back = [read("c", 24, 25, E1, E2), read("c", 26, 27, E1)]
    assert kinds(*WRITTEN, *going_back) == {"order"}
    assert kinds(*WRITTEN, *going_back, stale_reads=True) == {"order"}


def test_reads_that_go_back_from_one_client_to_another_are_found_unless_reads_may_be_stale():
    going_back = [read("c", 24, 25, E1, E2), read("d", 26, 27, E1)]
    assert kinds(*WRITTEN, *going_back) == {"order"}
    assert kinds(*WRITTEN, *going_back, stale_reads=True) == set()


def test_where_reads_may_be_stale_a_client_still_sees_its_own_writes():
    assert kinds(*WRITTEN, read("c", 61, 62, E1, E2), stale_reads=True) == set()
    assert kinds(*WRITTEN, read("a", 61, 62, E1, E2), stale_reads=True) == {"order"}


def test_where_reads_may_be_stale_the_latest_version_still_is_the_truth():
    assert kinds(*WRITTEN, latest("c", 61, 62, 2), stale_reads=True) == {"order"}


def test_half_an_append_seen_by_a_reader_is_found():
    batch = append("a", 0, 10, E1, E2)
    assert kinds(batch, read("c", 5, 6, E1), log=(E1, E2)) == {"read half an append"}
    assert kinds(batch, latest("c", 5, 6, 1), log=(E1, E2)) == {"latest version that is none"}


def test_an_actor_that_reads_otherwise_than_the_store_is_found():
    by_itself = {"x": [Stored(*E1)], "y": [Stored(*Y1)]}
    assert kinds(*WRITTEN, actors=by_itself) == {"two truths"}


def test_a_recorder_leaves_what_was_begun_when_its_process_is_killed(tmp_path):
    recorder = Recorder(tmp_path / "a", "a")
    recorder.begin("append", events=[("e1", "x")], expected=0)
    recorder.end("ok", found=[E1])
    recorder.begin("append", events=[("e2", "x")], expected=1)
    with (tmp_path / "a").open("ab") as file:
        file.write(b'{"returned": 12')

    done, open_end = read_operations(tmp_path / "a", "a")

    assert done.found == (Stored(*E1),)
    assert (done.outcome, done.invoked <= done.returned < NEVER) == ("ok", True)
    assert (open_end.outcome, open_end.returned, open_end.expected) == ("unknown", NEVER, 1)
