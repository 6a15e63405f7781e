"""The state of an actor at any version, what changed, and whether its snapshot agrees."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ..events import ReplayError, Snapshot
from ..events.json import Difference, leaf_differences, plain, same_json
from ..folds import Fold
from .folding import UNREGISTERED, BoundedFolding, fold_of, fold_to
from .json_tree import LARGEST_INLINE, indented, tree
from .scope import Scope, as_file
from .versions import first_event, last_event, latest_version, version_at

LARGEST_SLIDER = 2**53
"""Beyond this a browser's slider cannot name each version."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A state as the page shows it.

    Attributes:
        folded: how it was made.
        state: the plain state, masked.
        tree: it as nested lists.
        text: it as JSON text; None if that is too long to be part of a page.
        size: how many bytes it has as JSON.
    """

    folded: BoundedFolding
    state: Any
    tree: SafeString
    text: str | None
    size: int


@dataclass(frozen=True, slots=True)
class SnapshotCheck:
    """Whether the snapshot that a replay starts at leads to the state of the full replay.

    Attributes:
        snapshot: the snapshot; None where there is no usable one.
        unusable: why the newest one cannot be used.
        applied: how many events were folded onto it.
        agrees: None where one of the two could not be made in time, or both begin with it.
        differences: full replay -> snapshot and the events since.
        left_out: how many further ones there are.
    """

    snapshot: Snapshot | None
    unusable: ReplayError | Snapshot | None
    applied: int
    agrees: bool | None
    differences: list[Difference]
    left_out: int = 0


def state(scope: Scope, actor_id: str) -> HttpResponse:
    """Show an actor's state at a version, beside the version before or any other."""
    latest = latest_version(scope, actor_id)
    at = scope.timestamp("at", end=True)
    if at is not None:
        version = version_at(scope.store, actor_id, latest, at)
        return HttpResponseRedirect(scope.here(at=None, version=version))
    asked = scope.integer("version")
    version = latest if asked is None else min(asked, latest)
    compared = scope.integer("against")
    against = None if compared is None else min(compared, latest)
    fold = fold_of(actor_id)
    folded = fold_to(scope.store, actor_id, fold, version, scope.deadline)
    if "download" in scope.request.GET and folded.complete:
        text = indented(scope.shown_state(actor_id, folded.state))
        return as_file(text, f"state-{folded.version}.json", "application/json")
    other, changes, shown = _compare(scope, actor_id, fold, folded, against)
    limit = scope.options.json_nodes
    store = scope.store
    # 0 stands for no event.
    previous = last_event(store, actor_id, version - 1) if version > 0 else None
    following = first_event(store, actor_id, version + 1)
    return scope.render(
        "state.html",
        _("State"),
        heading=actor_id,
        actor_id=actor_id,
        latest=latest,
        version=version,
        against=against,
        shown=shown,
        other=other,
        changes=changes[:limit],
        changes_left_out=max(len(changes) - limit, 0),
        registered=fold is not UNREGISTERED,
        fold=fold,
        check=_check_snapshot(scope, actor_id, fold, folded, version),
        slider=latest < LARGEST_SLIDER,
        previous_version=(previous.version if previous else 0) if version > 0 else None,
        next_version=following.version if following else None,
        redacted=any(
            scope.redaction.touches_state(actor_id, plain(held))
            for held in (folded.state, other.state if other else folded.before)
        ),
        tab="state",
        crumbs=scope.actor_crumbs(actor_id),
    )


def _compare(
    scope: Scope, actor_id: str, fold: Fold, folded: BoundedFolding, against: int | None
) -> tuple[BoundedFolding | None, list[Difference], Shown]:
    after = scope.shown_state(actor_id, folded.state)
    other = None
    if against is not None:
        other = fold_to(scope.store, actor_id, fold, against, scope.deadline)
        before = scope.shown_state(actor_id, other.state)
    else:
        # Without an event, no version is before it.
        before = scope.shown_state(actor_id, folded.before) if folded.event else after
    both = folded.complete and (other is None or other.complete)
    changes = list(leaf_differences(before, after)) if both else []
    marked = {change.path for change in changes}
    text = indented(after)
    shown = Shown(
        folded,
        after,
        tree(after, limit=scope.options.json_nodes, marked=marked),
        text if len(text) <= LARGEST_INLINE else None,
        len(json.dumps(after, ensure_ascii=False).encode()),
    )
    return other, changes, shown


def _check_snapshot(
    scope: Scope, actor_id: str, fold: Fold, full: BoundedFolding, version: int
) -> SnapshotCheck | None:
    unusable = None
    for found in scope.store.iter_snapshots_with_errors(actor_id, max_version=version):
        if isinstance(found, Snapshot) and found.schema_version == fold.schema_version:
            break
        unusable = unusable or found
    else:
        return SnapshotCheck(None, unusable, 0, None, []) if unusable else None
    quick = BoundedFolding(fold.apply, found.state, found.version)
    for _event in quick.read(scope.store, actor_id, version, scope.deadline):
        pass
    is_its_own_base = full.base == found.version
    if not (quick.complete and full.complete) or quick.failure or full.failure or is_its_own_base:
        return SnapshotCheck(found, None, quick.applied, None, [])
    one, two = (scope.shown_state(actor_id, folded.state) for folded in (full, quick))
    changes = list(leaf_differences(one, two))
    agrees = same_json(plain(full.state), plain(quick.state))
    limit = scope.options.json_nodes
    return SnapshotCheck(
        found, None, quick.applied, agrees, changes[:limit], max(len(changes) - limit, 0)
    )
