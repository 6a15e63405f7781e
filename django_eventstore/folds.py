"""Which fold makes the state of which actors.

A project says once how the events of an actor become a state, and the admin and the management
commands can then show it, compare it with snapshots and make snapshots of it::

    register_fold("permit-", apply, initial={}, schema_version=2)  # in AppConfig.ready()
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from .events.event import Event


@dataclass(frozen=True, slots=True)
class Fold:
    """How events become a state: the arguments that ``EventStore.replay()`` takes.

    Attributes:
        apply: ``apply(state, event) -> state``.
        initial: the state of an actor without events; it is copied before use.
        schema_version: the form of the state; see ``Snapshot.schema_version``.
    """

    apply: Callable[[Any, Event], Any]
    initial: Any
    schema_version: int = 1


_folds: dict[str, Fold] = {}


def register_fold(
    prefix: str,
    apply: Callable[[Any, Event], Any],
    initial: Any,
    *,
    schema_version: int = 1,
) -> None:
    """Let ``apply`` make the state of every actor whose id starts with ``prefix``.

    Args:
        prefix: the start of the actor ids, as written; the empty text: every actor. Where
            several prefixes fit an actor, the longest one wins.
        apply: ``apply(state, event) -> state``, as ``EventStore.replay()`` takes it. Snapshots
            need a state that is JSON.
        initial: the state of an actor without events.
        schema_version: the form of the state; raise it when ``apply`` changes what it makes.

    Raises:
        ImproperlyConfigured: the prefix has another fold already.
    """
    new = Fold(apply, initial, schema_version)
    if _folds.setdefault(prefix, new) != new:
        raise ImproperlyConfigured(
            f"The actors that start with {prefix!r} have the fold {_folds[prefix].apply!r} "
            f"already; {apply!r} cannot be theirs too. Register a longer prefix for it."
        )


def unregister_fold(prefix: str) -> None:
    """Forget the fold of ``prefix``; a prefix without one is no error."""
    _folds.pop(prefix, None)


def fold_for(actor_id: str) -> Fold | None:
    """Return the fold of the longest registered prefix of ``actor_id``, or None."""
    fitting = [prefix for prefix in _folds if actor_id.startswith(prefix)]
    return _folds[max(fitting, key=len)] if fitting else None
