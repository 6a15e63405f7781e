"""One actor's appends: how far it is, and reading them.

An append counts if it stands on the number after the one before it. What decides that something
is absent is asked of the stream's leader; the bulk is read from whichever replica is near.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ....events import Event, ReplayError
from ....exceptions import InvalidEventError
from ..client.call import ApiError, Call, read_api_reply
from ..client.traffic import MANY, Reply, Request
from ..codec import decode_checked, decode_own, replay_error
from ..names import encode_name
from ..stored import Stored, from_direct, from_message
from ..streams.opening import Stream
from ..version_cache import NO_HEAD, Head

NO_MESSAGE: Final = 10037
BATCHES_SINCE: Final = (2, 11)
MAX_SUBJECTS: Final = 1000
"""Subjects in one direct get; the server's own limit is 1,024."""

PAGE_BYTES: Final = 4 * 1024 * 1024
"""About how much is fetched at a time."""

Items = list[Event | ReplayError]


class History:
    """The appends of one actor.

    Args:
        stream: the events' stream.
        actor_id: the actor.
    """

    def __init__(self, stream: Stream, actor_id: str) -> None:
        self.stream = stream
        self.actor_id = actor_id
        self.subject = f"{stream.prefix}{encode_name(actor_id)}."
        self.first = 0
        """The number of the oldest append that is still there; 0: not looked at."""

    @property
    def pattern(self) -> str:
        """The subjects of all appends, with a wildcard."""
        return f"{self.subject}*"

    async def head(self, call: Call, known: Head | None = None) -> Head:
        """Return how far the actor is, from the leader.

        ``known`` is what the caller believes: if nothing came since, nothing more is read.
        """
        last = await leader_get(call, self.stream, last_by_subj=self.pattern)
        if last is None:
            return NO_HEAD
        if known is not None and last.sequence == known.sequence:
            return known
        return own_head(last) or (await self.head_by_reading(call, last))[0]

    async def head_by_reading(self, call: Call, last: Stored) -> tuple[Head, list[Stored]]:
        """Return the head of an actor that others write to, and messages out of order."""
        numbers, strays = await self._numbers(call)
        if not numbers:
            return NO_HEAD._replace(sequence=last.sequence), strays
        head = await self.before(call, numbers[-1] + 1)
        # As far as the newest message, stray or not: the head is known as long as that is last.
        return (head or NO_HEAD)._replace(sequence=last.sequence), strays

    async def _numbers(self, call: Call) -> tuple[list[int], list[Stored]]:
        """Return the numbers of the appends, without gaps, and the messages on other subjects."""
        names = await list_subjects(call, self.stream, self.pattern)
        size = len(self.subject)
        texts = [name[size:] for name in names]
        numbers = sorted(
            int(text) for text in texts if text.isascii() and text.isdecimal() and text[0] != "0"
        )
        count = 0
        while count < len(numbers) and numbers[count] == numbers[0] + count:
            count += 1
        held = {str(number) for number in numbers[:count]}
        others = [f"{self.subject}{text}" for text in texts if text not in held]
        strays = await leader_get_all(call, self.stream, last_on(others))
        return numbers[:count], [stray for stray in strays if stray is not None]

    async def before(self, call: Call, number: int) -> Head | None:
        """Return how far the actor was before append ``number``; None if there is a gap.

        Walks down to an append of our own, which says it, and folds what is above.
        """
        above: list[Stored] = []
        step = 1
        head: Head | None = None
        high = number - 1
        while high >= 1 and head is None:
            window = await self.window(call, max(1, high - step + 1), high)
            if not above and (not window or window[-1].number != high):
                return None
            for stored in reversed(window):
                head = own_head(stored)
                if head is not None:
                    break
                above.append(stored)
            if len(window) < step:
                break
            high -= step
            step = min(step * 4, MAX_SUBJECTS)
        head = head or NO_HEAD
        for stored in reversed(above):
            head, _ = advance(head, stored, self.actor_id)
        return head

    async def window(self, call: Call, low: int, high: int) -> list[Stored]:
        """Return the appends numbered ``low`` to ``high``, in order; removed ones are left out."""
        requests = self.window_requests(call, low, high)
        return await self.complete(call, low, high, await call.ask(requests))

    def window_requests(self, call: Call, low: int, high: int) -> list[Request]:
        """Return the requests for the appends numbered ``low`` to ``high``."""
        subjects = [f"{self.subject}{number}" for number in range(low, high + 1)]
        if not self.stream.direct:
            return [leader_request(call, self.stream, last_by_subj=name) for name in subjects]
        verb = f"DIRECT.GET.{self.stream.name}"
        if len(subjects) > 2 and gives_batches(call, self.stream):
            return [call.api_request(verb, {"multi_last": subjects}, most=MANY)]
        return [call.api_request(verb, {"last_by_subj": name}) for name in subjects]

    async def complete(
        self, call: Call, low: int, high: int, answers: Iterable[Sequence[Reply]]
    ) -> list[Stored]:
        """Return the messages in ``answers``; what is missing is asked of the leader."""
        replies = [reply for each in answers for reply in each]
        if self.stream.direct:
            messages = [from_direct(reply) for reply in replies if not reply.status]
        else:
            messages = [stored for stored in map(read_message, replies) if stored is not None]
        if [stored.number for stored in messages] == list(range(low, high + 1)):
            return messages  # mostly: all there, and in order
        found = {stored.number: stored for stored in messages if stored.number is not None}
        if len(found) < high - low + 1:
            if not self.first:
                oldest = await leader_get(call, self.stream, seq=1, next_by_subj=self.pattern)
                self.first = (oldest and oldest.number) or low
            missing = [n for n in range(max(low, self.first), high + 1) if n not in found]
            subjects = [f"{self.subject}{number}" for number in missing]
            late = await leader_get_all(call, self.stream, last_on(subjects))
            found.update((stored.number, stored) for stored in late if stored and stored.number)
        return [found[number] for number in sorted(found)]


def own_head(stored: Stored) -> Head | None:
    """Return how far the actor is with ``stored``, if that is a message of our own."""
    mark, number = stored.mark, stored.number
    if mark is None or number is None or decode_own(stored) is None:
        return None
    return Head(mark.version, number, stored.sequence, mark.total)


def advance(
    head: Head, stored: Stored, actor_id: str
) -> tuple[Head, Sequence[Event | ReplayError]]:
    """Return how far the actor is with ``stored`` on top of ``head``, and what it holds."""
    number = stored.number or 0
    if stored.sequence < head.sequence:
        # It stood there before its turn came, and was passed over.
        return head._replace(appends=number), [stray_error(stored)]
    own = decode_own(stored)
    mark = stored.mark
    if own is not None and mark is not None:
        return Head(mark.version, number, stored.sequence, mark.total), own
    items = decode_checked(stored, actor_id, head.version)
    events = [item for item in items if isinstance(item, Event)]
    version = events[-1].version if events else None
    return (
        Head(version or head.version, number, stored.sequence, head.events + len(events)),
        items,
    )


def stray_error(stored: Stored) -> ReplayError:
    """Return the error for a message that is no append, by where it stands."""
    subject = stored.subject.decode(errors="replace")
    reason = InvalidEventError(
        "subject",
        f"{subject!r} is not that of an actor's next append: <stream>.events.<actor>.<n>.",
    )
    return replay_error(stored, reason)


def is_whole(state: dict[str, int]) -> bool:
    """Tell whether nothing was removed: else actors may have lost their first append, new ones too.

    ``state``: the stream's.
    """
    return state["messages"] == state["last_seq"]


def gives_batches(call: Call, stream: Stream) -> bool:
    """Whether the server gives many messages for one request."""
    return stream.direct and call.connection.server_version >= BATCHES_SINCE


def leader_request(call: Call, stream: Stream, **query: Any) -> Request:
    """Return the request to the leader for one message."""
    return call.api_request(f"STREAM.MSG.GET.{stream.name}", query)


async def leader_get(call: Call, stream: Stream, **query: Any) -> Stored | None:
    """Return one message, from the leader: what it does not find is not there."""
    try:
        answer = await call.api(f"STREAM.MSG.GET.{stream.name}", query)
    except ApiError as error:
        if error.err_code == NO_MESSAGE:
            return None
        raise
    return from_message(answer["message"])


def last_on(subjects: Iterable[str]) -> list[dict[str, Any]]:
    """Return the queries for the last message on each subject; it may have wildcards."""
    return [{"last_by_subj": subject} for subject in subjects]


async def leader_get_all(
    call: Call, stream: Stream, queries: Sequence[dict[str, Any]]
) -> list[Stored | None]:
    """Return one message for each of ``queries``, from the leader."""
    found: list[Stored | None] = []
    for start in range(0, len(queries), MAX_SUBJECTS):
        chunk = queries[start : start + MAX_SUBJECTS]
        requests = [leader_request(call, stream, **query) for query in chunk]
        found += [read_message(reply) for (reply,) in await call.ask(requests)]
    return found


def read_message(reply: Reply) -> Stored | None:
    """Return the message in the leader's answer; None: it has none."""
    try:
        return from_message(read_api_reply(reply)["message"])
    except ApiError as error:
        if error.err_code == NO_MESSAGE:
            return None
        raise


async def list_subjects(call: Call, stream: Stream, pattern: str) -> list[str]:
    """Return the subjects that match ``pattern`` and hold a message, from the leader.

    The server gives 100,000 at a time, and gathers and sorts all that match for each.
    """
    names: list[str] = []
    while True:
        info = await subjects_info(call, stream, pattern, len(names))
        page = info["state"].get("subjects") or {}
        names += page
        if not page or len(names) >= info.get("total", len(names)):
            return names


async def subjects_info(
    call: Call, stream: Stream, pattern: str, offset: int, patience: float = 0
) -> dict[str, Any]:
    """Return the stream's info with a page of the subjects that match, and their ``total``."""
    query = {"subjects_filter": pattern, "offset": offset}
    return await call.api(f"STREAM.INFO.{stream.name}", query, patience)
