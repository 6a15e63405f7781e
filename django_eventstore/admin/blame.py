"""Who made the state what it is: for each field, the event that last set it, and the first."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from django.http import HttpResponse
from django.utils.translation import gettext as _

from ..events import Event
from ..events.json import ABSENT, Path, leaves, path_text, plain, same_json
from ..events.validation import MAX_VERSION
from ..folds import Fold
from ..store import EventStore
from .folding import (
    CHECKPOINT_EVERY,
    UNREGISTERED,
    BoundedFolding,
    beginning,
    fold_of,
    fold_to,
    remember,
    remembered,
)
from .json_tree import scalar_text
from .redaction import Masked
from .scanning import Deadline
from .scope import Scope
from .versions import latest_version

FIRSTS_KEPT: Final = 20_000
"""For how many values of an actor's fields the first event is remembered."""

EVENT_SIZE: Final = 1000
"""About how many bytes the memory of one event takes, without its data."""

CHANGES_SHOWN: Final = 200


@dataclass(slots=True)
class Blame(BoundedFolding):
    """A state, and what is known of each of its fields.

    Attributes:
        last: path -> the event that last changed the value there.
        first: (path, value as JSON) -> the event that first made the value there so.
        values: path -> the value now.
        shape: the state as ``values`` has it, plain: a fold that fails may leave ``state`` half
            changed.
    """

    last: dict[Path, Event] = field(default_factory=dict)
    first: dict[tuple[Path, str], Event] = field(default_factory=dict)
    values: dict[Path, Any] = field(default_factory=dict)
    shape: Any = None

    def copied(self) -> Self:
        """Return a copy to go on with, while this one is still shown."""
        copy = BoundedFolding.copied(self)
        return replace(copy, last=dict(self.last), first=dict(self.first))

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(json.dumps(self.shape)) + EVENT_SIZE * (len(self.last) + len(self.first))

    def note(self, event: Event) -> None:
        """Note what ``event`` changed in the state."""
        self.shape = plain(self.state)
        values = dict(leaves(self.shape))
        # Without the data: it may be large, and is not needed.
        self.event = culprit = replace(event, data={})
        for path, value in values.items():
            if path not in self.values or not same_json(self.values[path], value):
                self.last[path] = culprit
                if len(self.first) < FIRSTS_KEPT:
                    self.first.setdefault((path, scalar_text(value)), culprit)
        for path in self.values.keys() - values.keys():
            self.last.pop(path, None)
        self.values = values


def blame_to(
    store: EventStore, actor_id: str, fold: Fold, version: int, deadline: Deadline
) -> Blame:
    """Return the blame at ``version``; asked again, it goes on where it was."""
    found = remembered(Blame, store, actor_id, fold, version)
    if found is None:
        found = beginning(store, actor_id, fold, version, Blame)
        found.shape = plain(found.state)
        # What a snapshot already holds, nobody is known to have set.
        found.values = dict(leaves(found.shape)) if found.base else {}
    for event in found.read(store, actor_id, version, deadline):
        found.note(event)
    # A fold that failed may have left its state half changed.
    if found.failure is None and (found.applied >= CHECKPOINT_EVERY or not found.complete):
        remember(store, actor_id, found)
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """A field: its value, who last set it and who first made it so.

    ``last`` is None where that is gone, ``first`` where it is gone or was not remembered.
    """

    path: Path
    value: Any
    last: Event | None
    first: Event | None

    @property
    def where(self) -> str:
        """The path as text."""
        return path_text(self.path)


def blame(scope: Scope, actor_id: str) -> HttpResponse:
    """Show for each field of the state who last set it."""
    latest = latest_version(scope, actor_id)
    asked = scope.integer("version")
    version = latest if asked is None else min(asked, latest)
    fold = fold_of(actor_id)
    found = blame_to(scope.store, actor_id, fold, version, scope.deadline)
    rows = _rows(found, dict(leaves(scope.shown_state(actor_id, found.shape))))
    limit = scope.options.json_nodes
    return scope.render(
        "blame.html",
        _("Blame"),
        heading=actor_id,
        actor_id=actor_id,
        latest=latest,
        version=version,
        rows=rows[:limit],
        left_out=max(len(rows) - limit, 0),
        blame=found,
        registered=fold is not UNREGISTERED,
        redacted=scope.redaction.touches_state(actor_id, found.shape),
        tab="blame",
        crumbs=scope.actor_crumbs(actor_id),
    )


def _rows(found: Blame, shown: dict[Path, Any]) -> list[Row]:
    """Return a line for each field that is shown.

    A masked branch is one field: what is in it, even of what names, must not be told.
    """
    rows: dict[Path, Row] = {}
    for path, value in found.values.items():
        last = found.last.get(path)
        if last is None and not found.base:
            continue
        if path in shown:
            rows[path] = Row(path, shown[path], last, found.first.get((path, scalar_text(value))))
            continue
        mask = next(path[:end] for end in range(len(path)) if path[:end] in shown)
        held = rows[mask].last if mask in rows else None
        rows[mask] = Row(mask, shown[mask], _newer(held, last), None)
    return list(rows.values())


def _newer(one: Event | None, other: Event | None) -> Event | None:
    return max(filter(None, (one, other)), key=lambda event: event.version or 0, default=None)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a field."""

    event: Event
    before: Any
    after: Any

    @property
    def is_masked(self) -> bool:
        """Whether one of the values is not shown."""
        return isinstance(self.before, Masked) or isinstance(self.after, Masked)


def history(scope: Scope, actor_id: str) -> HttpResponse:
    """Show every change of one field, newest first.

    The address says where a page before came to (``after``), and up to where the changes are
    shown (``upto``): of more than CHANGES_SHOWN, the newest are.
    """
    latest_version(scope, actor_id)
    wanted = scope.request.GET.get("path", "")
    after, upto = scope.integer("after") or 0, scope.integer("upto")
    fold = fold_of(actor_id)
    if after:
        folded = fold_to(scope.store, actor_id, fold, after, scope.deadline)
    else:
        folded = beginning(scope.store, actor_id, fold, MAX_VERSION, BoundedFolding)
    changes: deque[Change] = deque(maxlen=CHANGES_SHOWN)
    counted = 0
    next_url = None if folded.complete else scope.here(upto=None)
    value = _field(scope, actor_id, folded.state, wanted) if folded.version else ABSENT
    revealed = _reveals(scope, actor_id, folded.state)
    for event in folded.read(scope.store, actor_id, upto, scope.deadline):
        now = _field(scope, actor_id, folded.state, wanted)
        revealed = revealed or _reveals(scope, actor_id, folded.state)
        if (now is ABSENT) is not (value is ABSENT) or not same_json(now, value):
            changes.append(Change(replace(event, data={}), value, now))
            counted += 1
        value = now
    if next_url is None and not folded.complete:
        next_url = scope.here(after=folded.version, upto=None)
    if revealed:
        scope.log_revealed(f"changes of {wanted!r} of actor {actor_id!r}")
    return scope.render(
        "field.html",
        wanted,
        heading=actor_id,
        actor_id=actor_id,
        path=wanted,
        changes=list(reversed(changes)),
        counted=counted,
        older_url=scope.here(upto=(changes[0].event.version or 1) - 1)
        if counted > len(changes)
        else None,
        upto=upto,
        newest_url=scope.here(upto=None),
        after=after,
        begin=folded,
        redacted=revealed
        or any(
            isinstance(value, Masked) for each in changes for value in (each.before, each.after)
        ),
        version=folded.version,
        next_url=next_url,
        failure=folded.failure,
        crumbs=[*scope.actor_crumbs(actor_id), (_("Blame"), scope.url("blame", actor_id))],
        tab="blame",
    )


def _field(scope: Scope, actor_id: str, state: Any, wanted: str) -> Any:
    """Return the value of a field in a state, as this user may see it."""
    shown = scope.redaction.state(actor_id, plain(state))
    return next((value for path, value in leaves(shown) if path_text(path) == wanted), ABSENT)


def _reveals(scope: Scope, actor_id: str, state: Any) -> bool:
    return scope.reveals and scope.redaction.touches_state(actor_id, plain(state))
