"""Deciding on an actor's state, and saving that unless somebody else was first."""

from __future__ import annotations

import asyncio
import copy
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from inspect import isawaitable
from typing import TypeVar

from ..backends.values import ActorRange
from ..events import Event, Replayed
from ..events.validation import check_integer
from ..exceptions import VersionConflictError
from ..folds import Folding
from .arguments import Decided, decided_for
from .observability import retried
from .replaying import Replaying
from .saving import Saving

State = TypeVar("State")


class Updating(Saving, Replaying):
    """update()."""

    def update(
        self,
        actor_id: str,
        decide: Callable[[State], Decided],
        apply: Callable[[State, Event], State],
        initial: State,
        retries: int = 3,
        *,
        expected_version: int | None = None,
        schema_version: int = 1,
    ) -> list[Event]:
        """Load the actor's state, let ``decide`` make events of it, and save them there.

        The events are saved at the version that ``decide`` saw. On a conflict the events since
        are folded onto the state, and ``decide`` is asked again, ``retries`` times at the most,
        with a short random pause. Other errors, what ``decide`` raises, and conflicts of events
        or calls that name a version themselves are not retried.

        Args:
            actor_id: the actor.
            decide: state -> an event of this actor, several, or none (None or an empty list).
            apply: (state, event) -> state, as in replay().
            initial: the state of an actor without events.
            retries: how often to decide again after a conflict, 0 or more.
            expected_version: save at this version instead of the one seen; not retried.
            schema_version: see replay().

        Returns:
            The stored events.

        Raises:
            VersionConflictError: still in conflict after the last try.
        """
        check_integer("retries", retries, minimum=0)
        store = self._pinned()
        seen, latest = store._load(actor_id, apply, initial, schema_version)
        while True:
            expected = latest if expected_version is None else expected_version
            events = decided_for(actor_id, decide(copy.deepcopy(seen.state)))
            try:
                return store.save_events(events, expected_version=expected)
            except VersionConflictError as error:
                if retries == 0 or expected_version is not None or _name_versions(events):
                    raise
                retried(store, store.namespace, actor_id, error)
            retries -= 1
            time.sleep(_pause())
            seen, latest = store._load(actor_id, apply, initial, schema_version, seen)

    async def aupdate(
        self,
        actor_id: str,
        decide: Callable[[State], Decided | Awaitable[Decided]],
        apply: Callable[[State, Event], State],
        initial: State,
        retries: int = 3,
        *,
        expected_version: int | None = None,
        schema_version: int = 1,
    ) -> list[Event]:
        """See update(); ``decide`` may be asynchronous."""
        check_integer("retries", retries, minimum=0)
        store = self._pinned()
        seen, latest = await store._aload(actor_id, apply, initial, schema_version)
        while True:
            expected = latest if expected_version is None else expected_version
            answer = decide(copy.deepcopy(seen.state))
            events = decided_for(actor_id, await answer if isawaitable(answer) else answer)
            try:
                return await store.asave_events(events, expected_version=expected)
            except VersionConflictError as error:
                if retries == 0 or expected_version is not None or _name_versions(events):
                    raise
                retried(store, store.namespace, actor_id, error)
            retries -= 1
            await asyncio.sleep(_pause())
            seen, latest = await store._aload(actor_id, apply, initial, schema_version, seen)

    def _load(
        self,
        actor_id: str,
        apply: Callable[[State, Event], State],
        initial: State,
        schema_version: int,
        seen: Replayed[State] | None = None,
    ) -> tuple[Replayed[State], int]:
        """Return the actor's state, going on from ``seen`` if given, and its latest version."""

        def load() -> Replayed[State]:
            if seen is None:
                return self.replay(actor_id, apply, initial, schema_version=schema_version)
            selected = ActorRange(from_version=seen.version + 1)
            # A copy: the tail may be folded twice, by a fold that changes its state in place.
            folding = Folding(apply, copy.deepcopy(seen.state), seen.version)
            for item in self._items(self.namespace, actor_id, selected):
                folding.add(item)
            return folding.result()

        replayed = load()
        if not (replayed.errors or replayed.skipped):
            return replayed, replayed.version
        # The newest event may be malformed, and then the fold does not show the latest version.
        # Ask for that first and load again, so that nothing up to it is left out of the state.
        latest = self.backend.latest_version(self.namespace, actor_id)
        replayed = load()
        return replayed, max(latest, replayed.version)

    async def _aload(
        self,
        actor_id: str,
        apply: Callable[[State, Event], State],
        initial: State,
        schema_version: int,
        seen: Replayed[State] | None = None,
    ) -> tuple[Replayed[State], int]:
        """See _load()."""

        async def load() -> Replayed[State]:
            if seen is None:
                return await self.areplay(actor_id, apply, initial, schema_version=schema_version)
            selected = ActorRange(from_version=seen.version + 1)
            folding = Folding(apply, copy.deepcopy(seen.state), seen.version)
            async with aclosing(self._aitems(self.namespace, actor_id, selected)) as items:
                async for item in items:
                    folding.add(item)
            return folding.result()

        replayed = await load()
        if not (replayed.errors or replayed.skipped):
            return replayed, replayed.version
        latest = await self.backend.alatest_version(self.namespace, actor_id)
        replayed = await load()
        return replayed, max(latest, replayed.version)


def _name_versions(events: Iterable[Event]) -> bool:
    return any(event.version is not None for event in events)


def _pause() -> float:
    """Return a short random pause in seconds, so that rivals do not meet again."""
    return random.uniform(0.001, 0.05)  # noqa: S311 - no secret
