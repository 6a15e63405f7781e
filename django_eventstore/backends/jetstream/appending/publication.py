"""Messages on their way: sent until it is certain what became of them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import count
from typing import Final, NamedTuple
from uuid import uuid4

from ....exceptions import DuplicateEventError, EventTooLargeError, StoreUnavailableError
from ...values import NewEvent
from ..client.call import ApiError, Call, read_api_reply
from ..client.traffic import NO_RESPONDERS, Request
from ..codec import header_block, load, message_id
from ..reading.history import History, last_on, leader_get, leader_get_all
from ..stored import Stored
from ..streams.opening import Stream, check_stream
from ..version_cache import Head

WRONG_LAST_SEQUENCE: Final = frozenset({10071, 10164})
TOO_LARGE: Final = 10054
NOT_NOW: Final = frozenset({10008, 10009, 10158, 10176, 10177})
"""No leader, too busy, the same message is on its way, a batch was cut short."""


class Plan(NamedTuple):
    """A message to append.

    Attributes:
        history: the actor's.
        head: how far the actor is.
        events: what to append.
        versions: the version of each.
        subject: where the message goes.
        headers: the message's header lines.
        payload: its payload.
    """

    history: History
    head: Head
    events: Sequence[NewEvent]
    versions: Sequence[int]
    subject: str
    headers: list[bytes]
    payload: bytes

    @property
    def ids(self) -> list[str]:
        """The ids of the events, in order."""
        return [new.event.id for new in self.events]


class Publication:
    """Messages on their way to the server.

    Args:
        stream: where they go.
        plans: what they are.

    Attributes:
        sequence: that of the first message, once it is known; None: refused.
        uncertain: whether they may have been stored without our having been told.
        taken: where they are refused, the numbers that others' messages stand on, by actor.
    """

    def __init__(self, stream: Stream, plans: Sequence[Plan]) -> None:
        self.stream = stream
        self.plans = plans
        self.sequence: int | None = None
        self.uncertain = False
        self.taken: dict[str, int] = {}
        # Lets the server find the same id in another actor. A batch cannot have it.
        self._message_id = len(plans) == 1

    async def settle(self, call: Call) -> None:
        """Store the messages, all or none, or find out that they are refused.

        Raises:
            DuplicateEventError: the id is that of another actor's event.
            StoreUnavailableError: not stored, or not known to be stored, before the deadline.
        """
        for tries in count():
            try:
                if await self._attempt(call):
                    return
            except StoreUnavailableError as error:
                if self.uncertain and not error.outcome_unknown:
                    raise call.unavailable(outcome_unknown=True) from error
                raise
            if call.over:
                raise call.unavailable(outcome_unknown=self.uncertain)
            await call.pause(tries)

    async def _attempt(self, call: Call) -> bool:
        """Send once, and find out what became of it; False: try again."""
        request = self._request()
        await call.attempt([request])
        if not request.answered:
            self.uncertain = self.uncertain or request.sent
            return False
        (reply,) = request.replies
        if reply.status == NO_RESPONDERS:
            await check_stream(call, self.stream)
            return False
        try:
            answer = read_api_reply(reply)
        except ApiError as error:
            return await self._refused(call, error)
        if answer.get("duplicate"):
            return await self._duplicate(call, answer.get("seq", 0))
        self.sequence = answer["seq"] - len(self.plans) + 1
        return True

    async def _refused(self, call: Call, error: ApiError) -> bool:
        if error.err_code in WRONG_LAST_SEQUENCE:
            return await self._look(call)
        if error.err_code == TOO_LARGE:
            plan = max(self.plans, key=lambda plan: len(plan.payload))
            limit = self.stream.config.get("max_msg_size", call.connection.max_payload)
            raise EventTooLargeError(len(plan.payload), limit, "append") from error
        if error.err_code in NOT_NOW or error.code == NO_RESPONDERS:
            # Part of an earlier attempt may be on its way.
            return len(self.plans) > 1 and await self._look(call)
        raise StoreUnavailableError(
            f"{error}; the events were not stored.", outcome_unknown=self.uncertain
        ) from error

    async def _look(self, call: Call) -> bool:
        """Read the subjects from the leader; False: nothing is there, as far as it knows."""
        subjects = [plan.subject for plan in self.plans]
        found = await leader_get_all(call, self.stream, last_on(subjects))
        if not any(found):
            return False
        ours = [
            stored is not None and stored_ids(stored) == plan.ids
            for stored, plan in zip(found, self.plans, strict=True)
        ]
        if all(ours) and found[0] is not None:
            self.sequence = found[0].sequence
        else:
            self.taken = {
                plan.history.actor_id: plan.head.appends + 1
                for plan, stored, own in zip(self.plans, found, ours, strict=True)
                if stored is not None and not own
            }
        # Otherwise the subjects are another's for good: no copy of ours can be stored any more.
        self.uncertain = False
        return True

    async def _duplicate(self, call: Call, sequence: int) -> bool:
        """The server has seen the id of the first event before, and stored nothing now."""
        (plan,) = self.plans
        stored = await leader_get(call, self.stream, seq=sequence) if sequence else None
        if stored is None:
            # What had that id is gone, or was never stored: the server need not be asked again.
            self._message_id = False
            return await self._look(call)
        if stored.subject == plan.subject.encode() and stored_ids(stored) == plan.ids:
            self.sequence = stored.sequence
            return True
        raise DuplicateEventError(
            plan.ids[0],
            plan.history.actor_id,
            f"is already stored in another append, of actor {stored.actor_id!r}, "
            f"at sequence {sequence}",
        )

    def _request(self) -> Request:
        if len(self.plans) == 1:
            (plan,) = self.plans
            headers = [message_id(plan.ids[0]), *plan.headers] if self._message_id else plan.headers
            return Request(plan.subject.encode(), plan.payload, header_block(headers))
        batch = uuid4().hex.encode()
        requests = []
        for number, plan in enumerate(self.plans, 1):
            headers = [
                b"Nats-Batch-Id: %s" % batch,
                b"Nats-Batch-Sequence: %d" % number,
                *plan.headers,
            ]
            if number == len(self.plans):
                headers.append(b"Nats-Batch-Commit: 1")
            requests.append(Request(plan.subject.encode(), plan.payload, header_block(headers)))
        *before, last = requests
        last.before = b"".join(request.command() for request in before)
        return last


def stored_ids(stored: Stored) -> list[str]:
    """Return the ids in an append, in order; none if it is malformed."""
    try:
        return [document["id"] for document in load(stored)]
    except (ValueError, KeyError, TypeError, zlib.error):
        return []
