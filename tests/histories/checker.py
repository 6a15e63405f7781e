"""Decides whether a recorded history can be explained by one order of events per actor.

The events that the store holds in the end fix that order, so nothing has to be searched for: each
operation has its place in it, and the clock says whether all of them can stand at their places.
Finding no defect means that every answer was one that a single store, with one event log per
actor, serving one call at a time at some moment between its beginning and its end, could give.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import attrgetter

from tests.histories.operations import NEVER, Operation, Stored


@dataclass(frozen=True, slots=True)
class Defect:
    """A broken promise.

    Attributes:
        kind: which one, in a word or two.
        detail: what was seen.
    """

    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


@dataclass(slots=True)
class History:
    """All that is known of a run.

    Attributes:
        operations: what the clients did, in any order.
        log: the whole store in the end, as `read_all()` gives it.
        actors: each actor's events in the end, as `get_events()` gives them.
        stale_reads: whether a read may miss what other clients wrote of late (replicas that
            answer reads by themselves); what the client itself saw or wrote it must never miss.
    """

    operations: Sequence[Operation]
    log: Sequence[Stored]
    actors: Mapping[str, Sequence[Stored]]
    stale_reads: bool = False


def check(history: History) -> list[Defect]:
    """Return every broken promise that the history shows."""
    return [
        *_check_log(history),
        *_check_answers(history.operations),
        *_check_appends(history),
        *_check_reads(history),
        *_check_tails(history),
        *_check_order(history),
    ]


def _check_log(history: History) -> Iterator[Defect]:
    """What the store holds in the end is in order, holds nothing twice, and is one thing."""
    seen: dict[str, Stored] = {}
    for event in history.log:
        if event.id in seen:
            yield Defect("stored twice", f"{seen[event.id]} and {event}")
        seen[event.id] = event
    for one, other in pairwise(history.log):
        if one.position >= other.position:
            yield Defect("position order", f"{one} in front of {other}")
    by_actor = _by_actor(history.log)
    for events in by_actor.values():
        for one, other in pairwise(events):
            if one.version >= other.version:
                yield Defect("version order", f"{one} in front of {other}, by position")
    for actor in by_actor.keys() | history.actors.keys():
        in_log, by_itself = by_actor.get(actor, []), list(history.actors.get(actor, []))
        if in_log != by_itself:
            yield Defect(
                "two truths",
                f"{actor} has {len(by_itself)} events read by itself and {len(in_log)} in the "
                f"store; different: {sorted(set(in_log) ^ set(by_itself))[:5]}",
            )


def _check_answers(operations: Iterable[Operation]) -> Iterator[Defect]:
    """No call ends in a way that its caller is not told of, or goes unanswered."""
    for operation in operations:
        if operation.outcome == "wrong":
            yield Defect("wrong answer", str(operation))


def _check_appends(history: History) -> Iterator[Defect]:
    """Each append is in the log as its outcome says: once, whole, and at its place."""
    places = {event.id: index for index, event in enumerate(history.log)}
    versions = _versions(history)
    claimed: set[str] = set()
    for events, attempts in _appends(history.operations).items():
        claimed.update(event_id for event_id, _ in events)
        found = [places[event_id] for event_id, _ in events if event_id in places]
        there = [history.log[place] for place in found]
        for attempt in attempts:
            yield from _check_attempt(attempt, there)
        if not there:
            continue
        if len(there) < len(events):
            yield Defect("half an append", f"{len(there)} of {attempts[0]}")
        elif found != sorted(found) or any(
            event.actor != actor for event, (_, actor) in zip(there, events, strict=True)
        ):
            yield Defect("append out of order", f"{there} of {attempts[0]}")
        if all(attempt.outcome == "failed" for attempt in attempts):
            yield Defect("failed and stored", f"{attempts[0]}, and stored: {there}")
        if (expected := attempts[0].expected) is not None:
            before = versions[there[0].actor]
            index = bisect_left(before, there[0].version)
            if (before[index - 1] if index else 0) != expected:
                yield Defect("stored at another version", f"{attempts[0]}, and stored: {there}")
    for event in history.log:
        if event.id not in claimed:
            yield Defect("stored by nobody", str(event))


def _check_attempt(attempt: Operation, there: list[Stored]) -> Iterator[Defect]:
    if attempt.outcome == "ok":
        if not there:
            yield Defect("acknowledged and lost", str(attempt))
        elif list(attempt.found) != there:
            yield Defect("acknowledged elsewhere", f"{attempt}, and stored: {there}")
    elif attempt.outcome == "conflict":
        if there:
            yield Defect("refused and stored", f"{attempt}, and stored: {there}")
        if attempt.expected in (None, attempt.version):
            yield Defect("conflict without one", str(attempt))


def _check_reads(history: History) -> Iterator[Defect]:
    """Each read of an actor gave a run of its events, none left out, no append in part."""
    actors = _by_actor(history.log)
    versions = _versions(history)
    ends = _append_ends(history)
    for read in history.operations:
        if read.kind == "read" and read.found:
            first = bisect_left(versions[read.actor], read.after)
            right = actors.get(read.actor, [])[first : first + len(read.found)]
            if list(read.found) != right:
                yield Defect("read with holes", f"{read}; should be: {right}")
            elif read.found[-1].version not in ends[read.actor]:
                yield Defect("read half an append", str(read))
        elif read.kind == "latest" and read.version and read.version not in ends[read.actor]:
            yield Defect("latest version that is none", str(read))


def _check_tails(history: History) -> Iterator[Defect]:
    """Pages of the whole store skip nothing between the checkpoint and their last event."""
    positions = [event.position for event in history.log]
    for tail in history.operations:
        if tail.kind == "tail" and tail.found:
            first = bisect_right(positions, tail.after)
            stop = bisect_right(positions, tail.found[-1].position)
            if list(tail.found) != list(history.log[first:stop]):
                missed = sorted(set(history.log[first:stop]) - set(tail.found))
                yield Defect("skipped", f"{tail}; missed: {missed}")


def _check_order(history: History) -> Iterator[Defect]:
    """The operations on each actor can stand in the order of its versions, as the clock has it."""
    steps = _steps(history)
    for by_version in steps.values():
        yield from _stand(by_version)
    if history.stale_reads:
        # Then each client by itself sees its own reads and writes in order.
        clients = {operation.client for operation in history.operations}
        for client in sorted(clients):
            for by_version in _steps(history, reader=client).values():
                yield from _stand(by_version)


@dataclass(frozen=True, slots=True)
class _Step:
    """An operation that left or found an actor at `version`."""

    version: int
    writes: bool
    invoked: int
    returned: int
    operation: Operation


def _steps(history: History, *, reader: str | None = None) -> dict[str, list[_Step]]:
    """Return the steps of each actor.

    With `stale_reads`, reads are left out. With `reader`, the steps are what that client alone
    can tell: what it asked for, and all writes, of which only its own are known to be over when
    they are acknowledged.
    """
    steps: dict[str, list[_Step]] = defaultdict(list)
    log = {event.id: event for event in history.log}
    for events, attempts in _appends(history.operations).items():
        if any(event_id not in log for event_id, _ in events):
            continue
        invoked = min(attempt.invoked for attempt in attempts)
        acknowledged = [attempt.returned for attempt in attempts if attempt.outcome == "ok"]
        returned = min(acknowledged, default=NEVER)
        if reader is not None and attempts[0].client != reader:
            returned = NEVER
        last = {actor: log[event_id].version for event_id, actor in events}
        for actor, version in last.items():
            steps[actor].append(_Step(version, True, invoked, returned, attempts[0]))
    for operation in history.operations:
        if reader is None and history.stale_reads and operation.kind == "read":
            continue
        if reader is not None and operation.client != reader:
            continue
        seen = _seen(operation)
        if seen is not None:
            actor, version = seen
            steps[actor].append(
                _Step(version, False, operation.invoked, operation.returned, operation)
            )
    return steps


def _seen(operation: Operation) -> tuple[str, int] | None:
    """Return which actor an operation found at which version."""
    if operation.kind == "read" and operation.outcome == "ok":
        # Clients read from a version that they know to be there, or from the start.
        last = operation.found[-1].version if operation.found else 0
        return operation.actor, last
    if operation.kind == "latest" and operation.outcome == "ok":
        return operation.actor, operation.version or 0
    if operation.outcome == "conflict" and operation.version is not None:
        return operation.events[0][1], operation.version
    return None


def _stand(steps: list[_Step]) -> Iterator[Defect]:
    """Place the steps one behind the other, each as early as those before it let it be."""
    steps.sort(key=lambda step: (step.version, not step.writes))
    earliest, holder = 0, None
    for version, group in groupby(steps, key=attrgetter("version")):
        reads = []
        for step in group:
            if step.returned < earliest and holder is not None:
                yield Defect(
                    "order",
                    f"at version {version}: [{step.operation}] ended before "
                    f"[{holder.operation}] began, which belongs to an earlier version",
                )
            elif step.writes:
                if step.invoked > earliest:
                    earliest, holder = step.invoked, step
            else:
                reads.append(step)
        # Reads of one version may stand in any order among themselves, before the next write.
        for step in reads:
            if step.invoked > earliest:
                earliest, holder = step.invoked, step


def _appends(operations: Iterable[Operation]) -> dict[tuple[tuple[str, str], ...], list[Operation]]:
    """Return the attempts at each append: the same events may be saved again."""
    appends: dict[tuple[tuple[str, str], ...], list[Operation]] = defaultdict(list)
    for operation in sorted(operations, key=attrgetter("invoked")):
        if operation.kind == "append":
            appends[operation.events].append(operation)
    return appends


def _append_ends(history: History) -> dict[str, set[int]]:
    """Return the versions at which each actor stood between two appends."""
    log = {event.id: event for event in history.log}
    ends: dict[str, set[int]] = defaultdict(set)
    for events in _appends(history.operations):
        last = {actor: log[event_id].version for event_id, actor in events if event_id in log}
        for actor, version in last.items():
            ends[actor].add(version)
    return ends


def _by_actor(log: Iterable[Stored]) -> dict[str, list[Stored]]:
    actors: dict[str, list[Stored]] = defaultdict(list)
    for event in log:
        actors[event.actor].append(event)
    return actors


def _versions(history: History) -> dict[str, list[int]]:
    versions: dict[str, list[int]] = defaultdict(list)
    for event in history.log:
        versions[event.actor].append(event.version)
    return versions
