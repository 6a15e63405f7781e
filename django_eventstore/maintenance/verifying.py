"""Is a store sound?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ..backends.values import ActorSummary
from ..events import Event, ReplayError, Snapshot
from ..events.json import differences
from ..events.validation import MAX_VERSION, encode_json
from ..folds import Folding, fold_for
from ..store import EventStore
from .snapshotting import actors_with_snapshots

NOTES: Final = frozenset({"gap", "skipped", "start", "unchecked snapshot"})
"""Kinds of findings that are worth knowing, and no fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it should be, or worth knowing.

    Attributes:
        kind: ``malformed``, ``order``, ``repeat``, ``count``, ``latest version``, ``snapshot``,
            ``missing``, ``extra`` or ``different``; or one of ``NOTES``.
        detail: what was found, for people.
        actor_id, version, position, event_id: where; None where it cannot be told.
    """

    kind: str
    detail: str
    actor_id: str | None = None
    version: int | None = None
    position: int | None = None
    event_id: str | None = None

    @property
    def where(self) -> str:
        """Where it was found, for people."""
        parts = []
        if self.actor_id is not None:
            parts.append(f"actor {self.actor_id!r}")
        if self.version is not None:
            parts.append(f"version {self.version}")
        if self.position is not None:
            parts.append(f"position {self.position}")
        if self.event_id is not None:
            parts.append(f"event {self.event_id}")
        return ", ".join(parts) or "the store"

    @property
    def is_fault(self) -> bool:
        """Whether it is more than a note."""
        return self.kind not in NOTES


@dataclass(slots=True)
class Verification:
    """How far a verification has come.

    Attributes:
        events: how many events were looked at.
        actors: how many actors were looked at.
        snapshots: how many snapshots were compared with a replay.
        found: kind of finding -> how many.
    """

    events: int = 0
    actors: int = 0
    snapshots: int = 0
    found: dict[str, int] = field(default_factory=dict)

    @property
    def faults(self) -> int:
        """How many findings are more than notes."""
        return sum(count for kind, count in self.found.items() if kind not in NOTES)


def verify_store(
    store: EventStore,
    *,
    on_finding: Callable[[Finding], None],
    on_progress: Callable[[Verification], None] = lambda verification: None,
) -> Verification:
    """Read a whole store in both ways that it can be read, and report what does not fit.

    In position order: that positions rise, and what is malformed (an event whose upcaster fails
    too). By actor: that versions and positions rise together, gaps between versions, that the
    latest version, the listing's count and the number of all events agree, and that each
    snapshot is what a replay makes with the fold that is registered for the actor.

    Events saved meanwhile are no fault. Memory is bounded: nothing is kept of an actor once the
    next one is looked at.
    """
    return _Verifier(on_finding, on_progress).run(store)


@dataclass
class Inspection:
    """A verification while it goes on, and whom it tells."""

    on_finding: Callable[[Finding], None]
    on_progress: Callable[[Verification], None]
    verification: Verification = field(default_factory=Verification)

    def report(self, kind: str, detail: str, **where: Any) -> None:
        """Count a finding, and tell of it."""
        self.verification.found[kind] = self.verification.found.get(kind, 0) + 1
        self.on_finding(Finding(kind=kind, detail=detail, **where))

    def report_event(self, kind: str, detail: str, event: Event) -> None:
        """Report what was found at an event."""
        self.report(
            kind,
            detail,
            actor_id=event.actor_id,
            version=event.version,
            position=event.position,
            event_id=event.id,
        )


class _Verifier(Inspection):
    def run(self, store: EventStore) -> Verification:
        self.store = store
        # What is saved from now on is not looked at: the two ways of reading would differ.
        self.horizon = 0
        in_order = self._read_in_order()
        by_actor = 0
        for actor, snapshot in actors_with_snapshots(self.store):
            by_actor += self._read_actor(actor, snapshot is not None)
            self.verification.actors += 1
            self.on_progress(self.verification)
        if by_actor != in_order:
            self.report(
                "count", f"{in_order:,} events in position order, and {by_actor:,} actor by actor"
            )
        return self.verification

    def _read_in_order(self) -> int:
        readable = 0
        for item in self.store.read_all_with_errors():
            self.verification.events += 1
            if item.position is not None and item.position <= self.horizon:
                self.report(
                    "order",
                    f"position {item.position} comes behind {self.horizon}",
                    actor_id=item.actor_id,
                    position=item.position,
                )
            self.horizon = max(self.horizon, item.position or 0)
            if isinstance(item, ReplayError):
                self._report_malformed(item)
            else:
                readable += 1
            self.on_progress(self.verification)
        return readable

    def _report_malformed(self, error: ReplayError) -> None:
        where: dict[str, Any] = {"actor_id": error.actor_id, "position": error.position}
        if error.skipped is None:
            self.report("malformed", str(error.error), **where)
        else:
            self.report("skipped", f"{error.error}; skipped: {error.skipped}", **where)

    def _read_actor(self, actor: ActorSummary, has_snapshots: bool) -> int:
        """Return how many of the actor's events can be read, up to the horizon."""
        checks = list(self._snapshot_checks(actor)) if has_snapshots else []
        version = position = readable = malformed = 0
        listed = latest = 0  # of the versions that the listing knew of
        for item in self.store.iter_events_with_errors(actor.actor_id):
            if isinstance(item, ReplayError):
                malformed += 1
                for check in checks:
                    check.miss()
                continue
            readable += (item.position or 0) <= self.horizon
            # A malformed event has a version too, which cannot be told: then a gap is none.
            self._check_place(item, version, position, gaps=not malformed)
            version, position = item.version or 0, item.position or 0
            if version <= actor.latest_version:
                listed, latest = listed + 1, max(latest, version)
            for check in checks:
                check.add(item)
        if not malformed:
            self._check_listing(actor, listed, latest)
        for check in checks:
            self._finish(check)
        return readable

    def _check_listing(self, actor: ActorSummary, count: int, latest: int) -> None:
        if latest != actor.latest_version:
            self.report(
                "latest version",
                f"the store says {actor.latest_version}, the newest event has {latest}",
                actor_id=actor.actor_id,
            )
        if actor.event_count is not None and count != actor.event_count:
            self.report(
                "count",
                f"{actor.event_count} events in the listing, {count} in the history",
                actor_id=actor.actor_id,
            )

    def _check_place(self, event: Event, version: int, position: int, *, gaps: bool) -> None:
        here = event.version or 0
        if here == version:
            self.report_event("repeat", f"version {here} is there twice", event)
        elif here < version:
            self.report_event("order", f"version {here} comes behind {version}", event)
        elif gaps and here > version + 1:
            kind, what = ("gap", "missing") if version else ("start", "removed, or never there")
            self.report_event(kind, f"versions {version + 1} to {here - 1} are {what}", event)
        if event.position is not None and event.position <= position:
            self.report_event(
                "order",
                f"version {here} is at position {event.position}, and the version before it at "
                f"{position}",
                event,
            )

    def _snapshot_checks(self, actor: ActorSummary) -> Iterator[_SnapshotCheck]:
        """Yield a check of the actor's snapshots, if any can be; report those that cannot."""
        fold = fold_for(actor.actor_id)
        snapshots = []
        for item in self.store.iter_snapshots_with_errors(actor.actor_id):
            if isinstance(item, ReplayError):
                self.report(
                    "snapshot",
                    f"cannot be read: {item.error}",
                    actor_id=actor.actor_id,
                    position=item.position,
                )
            elif fold is None:
                self._unchecked(item, "no fold is registered for the actor")
            elif item.schema_version != fold.schema_version:
                self._unchecked(
                    item,
                    f"it has schema version {item.schema_version}, the fold {fold.schema_version}",
                )
            else:
                snapshots.append(item)
        if fold is not None and snapshots:
            yield _SnapshotCheck(snapshots, fold.begin())

    def _unchecked(self, snapshot: Snapshot, reason: str) -> None:
        self.report(
            "unchecked snapshot",
            f"the snapshot at version {snapshot.version} was not compared: {reason}",
            actor_id=snapshot.actor_id,
            version=snapshot.version,
        )

    def _finish(self, check: _SnapshotCheck) -> None:
        for snapshot, missing, fault in check.finish():
            if missing is not None:
                self._unchecked(snapshot, missing)
                continue
            self.verification.snapshots += 1
            if fault is not None:
                self.report(
                    "snapshot",
                    f"the snapshot at version {snapshot.version}{fault}",
                    actor_id=snapshot.actor_id,
                    version=snapshot.version,
                )


@dataclass(slots=True)
class _SnapshotCheck:
    """Folds an actor's events once, and compares each snapshot where the fold comes by it."""

    waiting: list[Snapshot]  # the newest first
    folding: Folding[Any]
    missing: str | None = None
    compared: list[tuple[Snapshot, str | None, str | None]] = field(default_factory=list)

    def add(self, event: Event) -> None:
        version = event.version or 0
        self._compare(version - 1)
        if not self.waiting or self.folding.failure is not None:
            return
        if self.folding.version == 0 and version > 1:
            self.missing = "the first events were removed, or never there"
        self.folding.attempt(event)

    def miss(self) -> None:
        """Note that an event cannot be read; to what the fold has passed it does not matter.

        Neither does it behind the event that the fold failed on.
        """
        self._compare(self.folding.version)
        if self.folding.failure is None:
            self.missing = "an event in it is malformed"

    def finish(self) -> list[tuple[Snapshot, str | None, str | None]]:
        """Return each snapshot, the newest first, why it was not compared, and what is wrong."""
        self._compare(MAX_VERSION)
        return self.compared[::-1]

    def _compare(self, version: int) -> None:
        """Compare the snapshots up to a version, which the fold has reached."""
        while self.waiting and self.waiting[-1].version <= version:
            snapshot = self.waiting.pop()
            fault = self._fault(snapshot) if self.missing is None else None
            self.compared.append((snapshot, self.missing, fault))

    def _fault(self, snapshot: Snapshot) -> str | None:
        state, failure = self.folding.state, self.folding.failure
        if failure is not None:
            return f": the fold raised {type(failure).__name__}: {failure}"
        if self.folding.version != snapshot.version:
            return ": there is no event of that version"
        try:
            _, state = encode_json("state", state)
        except ValueError as error:
            return f": the fold's state is no JSON: {error}"
        found = "; ".join(map(str, differences(snapshot.state, state, ("state",))))
        return f" differs from a replay: {found}" if found else None
