"""Appending: one message per actor and append, exactly once, whatever the network does.

The server decides. Each append expects that nothing stands on its subject yet; so of two writers
of one number exactly one is stored, however late a message arrives. What the answer does not
tell, reading that subject from the leader does: our ids are there, or another's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import count, groupby, islice
from typing import Final

from ....events.ids import take_fresh
from ....exceptions import (
    DuplicateEventError,
    EventStoreError,
    EventTooLargeError,
    StoreUnavailableError,
    UnsupportedOperation,
    VersionConflictError,
)
from ...base import assign_versions
from ...values import NewEvent, Placed
from ..client.call import Call
from ..client.operation import Turns
from ..codec import MAX_EVENTS, POSITION_BITS, encode
from ..reading.history import MAX_SUBJECTS, History
from ..streams.configuration import ATOMIC_NEEDS
from ..streams.opening import Stream
from ..version_cache import Head, HeadCache
from .id_cache import StoredIds
from .publication import Plan, Publication, stored_ids

MAX_BATCH: Final = 1000
"""The most messages in an atomic batch: the server's limit."""


@dataclass(frozen=True, slots=True)
class Appender:
    """Appends to one stream.

    Args:
        stream: the events' stream.
        cache: how far actors are, as far as is known.
        ids: the ids that actors are known to hold.
        turns: lets the writers of one actor in this process go one by one; they would only send
            each other away at the server.
    """

    stream: Stream
    cache: HeadCache
    ids: StoredIds
    turns: Turns

    async def append(
        self, call: Call, events: Sequence[NewEvent], expected_version: int | None
    ) -> list[Placed]:
        """See ``Backend.append()``."""
        unsure = [new.event.id for new in events if not take_fresh(new.event.id)]
        actors = {new.event.actor_id for new in events}
        if len(actors) > 1 and not self.stream.atomic:
            version = ".".join(map(str, call.connection.server_version))
            raise UnsupportedOperation(
                f"Saving events of several actors all or none needs {ATOMIC_NEEDS}, for the stream "
                f"{self.stream.name!r} (the server is {version}); save them actor by actor."
            )
        taken = []
        try:
            for actor_id in sorted(actors):
                if not await self.turns.take(actor_id, call.deadline):
                    raise call.unavailable()
                taken.append(actor_id)
            return await self._append(call, events, actors, unsure, expected_version)
        finally:
            for actor_id in taken:
                self.turns.give(actor_id)

    async def _append(
        self,
        call: Call,
        events: Sequence[NewEvent],
        actors: Collection[str],
        unsure: Sequence[str],
        expected_version: int | None,
    ) -> list[Placed]:
        histories = {actor_id: History(self.stream, actor_id) for actor_id in actors}
        known = {actor_id: self.cache.get(actor_id) for actor_id in actors}
        certain = False
        taken: dict[str, int] = {}  # the number that the server refused, by actor
        for tries in count():
            heads = {}
            for actor_id, history in histories.items():
                head = known[actor_id]
                if certain or head is None:
                    head = await history.head(call, head)
                    if head.appends + 1 == taken.get(actor_id):
                        # Not by an append: what stands there came before its turn.
                        head = head._replace(appends=head.appends + 1)
                heads[actor_id] = head
                if unsure:
                    await self._check_ids(call, history, head, unsure)
            certain = certain or not any(known.values())
            limit = await call.largest_message()
            try:
                plans = self._plan(histories, heads, events, expected_version, limit)
            except VersionConflictError:
                if certain:
                    raise
            else:
                publication = Publication(self.stream, plans)
                await publication.settle(call)
                if publication.sequence is not None:
                    return self._accepted(plans, publication.sequence)
                taken = publication.taken
                if call.over:
                    raise self._always_late(plans[0], expected_version)
                if tries > 1:
                    await call.pause(0)
            # Another writer was first, or the cached head was wrong.
            known, certain = dict(heads), True
        raise AssertionError

    @staticmethod
    def _always_late(plan: Plan, expected_version: int | None) -> EventStoreError:
        """Return the error for an append that others were faster than until its deadline."""
        actor_id = plan.history.actor_id
        if expected_version is not None:
            # It is there at least: another append stands where this one was to go.
            latest = plan.head.version + 1
            return VersionConflictError(actor_id, plan.versions[0], expected_version, latest)
        return StoreUnavailableError(
            f"Other writers of the actor {actor_id!r} were faster each time this append was tried "
            f"before its deadline; nothing of it is stored. Save it again."
        )

    async def _check_ids(
        self, call: Call, history: History, head: Head, unsure: Sequence[str]
    ) -> None:
        """Look for ``unsure`` ids in what the actor holds up to ``head``.

        What another writer appends after that makes the server refuse the append.

        Raises:
            DuplicateEventError: one of them is there.
        """
        known = self.ids.get(history.actor_id)
        if known is None or known[0] != head.appends:
            known = await self._read_ids(call, history, head, known or (0, set()))
        for event_id in unsure:
            if event_id in known[1]:
                raise DuplicateEventError(event_id, history.actor_id)

    async def _read_ids(
        self, call: Call, history: History, head: Head, known: tuple[int, set[str]]
    ) -> tuple[int, set[str]]:
        appends, held = known
        if appends > head.appends:  # it was purged
            appends, held = 0, set()
        held = set(held)
        for low in range(appends + 1, head.appends + 1, MAX_SUBJECTS):
            high = min(low + MAX_SUBJECTS - 1, head.appends)
            for stored in await history.window(call, low, high):
                held.update(stored_ids(stored))
        self.ids.put(history.actor_id, head.appends, held)
        return head.appends, held

    def _plan(
        self,
        histories: dict[str, History],
        heads: dict[str, Head],
        events: Sequence[NewEvent],
        expected_version: int | None,
        limit: int,
    ) -> list[Plan]:
        """Return the messages: one for each run of events of one actor."""
        latest = {actor_id: head.version for actor_id, head in heads.items()}
        versions = iter(assign_versions(events, latest, expected_version))
        heads = dict(heads)
        plans = []
        for actor_id, run in groupby(events, key=_actor):
            part = list(run)
            history, head = histories[actor_id], heads[actor_id]
            placed = list(islice(versions, len(part)))
            if len(part) > MAX_EVENTS:
                raise EventTooLargeError(len(part), MAX_EVENTS, "append, counted in events,")
            subject = f"{history.subject}{head.appends + 1}"
            place = subject[len(self.stream.prefix) :]
            headers, payload = encode(place, part, placed, head.events, limit)
            plans.append(Plan(history, head, part, placed, subject, headers, payload))
            heads[actor_id] = Head(placed[-1], head.appends + 1, 0, head.events + len(part))
        if len(plans) > MAX_BATCH:
            raise EventTooLargeError(
                len(plans), MAX_BATCH, "append, counted in changes from one actor to another,"
            )
        return plans

    def _accepted(self, plans: Sequence[Plan], sequence: int) -> list[Placed]:
        placed: list[Placed] = []
        for at, plan in enumerate(plans, sequence):
            actor_id, appends = plan.history.actor_id, plan.head.appends + 1
            events = plan.head.events + len(plan.events)
            self.cache.set(actor_id, Head(plan.versions[-1], appends, at, events))
            self.ids.add(actor_id, appends, plan.ids)
            placed += map(Placed, plan.versions, count(at << POSITION_BITS))
        return placed


def _actor(new: NewEvent) -> str:
    return new.event.actor_id
