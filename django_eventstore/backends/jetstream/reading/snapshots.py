"""Snapshots: a stream of their own, one subject for each actor and version."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from itertools import count

import orjson

from ....events import ReplayError, Snapshot
from ....exceptions import EventTooLargeError, StoreUnavailableError
from ..client.call import ApiError, Call, read_api_reply
from ..client.traffic import NO_RESPONDERS, Request
from ..codec import GZIP_LINE, HEADER_ROOM, compress, header_block, load, replay_error
from ..names import encode_name
from ..stored import Stored
from ..streams.opening import Stream, check_stream
from .history import leader_get, leader_request, list_subjects, read_message


class Snapshots:
    """The snapshots of one actor.

    Args:
        stream: the snapshots' stream.
        actor_id: the actor.
    """

    def __init__(self, stream: Stream, actor_id: str) -> None:
        self.stream = stream
        self.actor_id = actor_id
        self.subject = f"{stream.prefix}{encode_name(actor_id)}."

    async def versions(self, call: Call) -> list[int]:
        """Return the versions of which there is a snapshot, newest first."""
        return self.versions_in(await list_subjects(call, self.stream, f"{self.subject}*"))

    def versions_in(self, subjects: Iterable[str]) -> list[int]:
        """Return the versions that ``subjects`` name, newest first."""
        texts = [subject[len(self.subject) :] for subject in subjects]
        return sorted((int(text) for text in texts if text.isdecimal()), reverse=True)

    async def save(self, call: Call, snapshot: Snapshot, state: bytes, keep: int) -> None:
        """Store ``snapshot``, over one of the same version; keep the newest ``keep``.

        Raises:
            EventTooLargeError: the server does not take so much.
            StoreUnavailableError: no answer before the deadline.
        """
        payload = orjson.dumps(
            {**snapshot.to_dict(), "state": orjson.Fragment(state), "position": None}
        )
        headers = b""
        limit = await call.largest_message() - HEADER_ROOM
        if len(payload) > limit:
            payload = compress(payload)
            headers = header_block([GZIP_LINE])
            if len(payload) > limit:
                raise EventTooLargeError(len(payload), limit, "snapshot")
        await self._publish(call, f"{self.subject}{snapshot.version}", payload, headers)
        await self.delete(call, (await self.versions(call))[keep:])

    async def delete(self, call: Call, versions: Iterable[int]) -> None:
        """Delete the snapshots of these versions.

        Raises:
            StoreUnavailableError: no answer before the deadline; some may be gone.
        """
        for version in versions:
            filtered = {"filter": f"{self.subject}{version}"}
            await call.api(f"STREAM.PURGE.{self.stream.name}", filtered)

    async def _publish(self, call: Call, subject: str, payload: bytes, headers: bytes) -> None:
        for tries in count():
            request = Request(subject.encode(), payload, headers)
            await call.attempt([request])
            if request.answered and request.replies[0].status == NO_RESPONDERS:
                await check_stream(call, self.stream)
            elif request.answered:
                try:
                    read_api_reply(request.replies[0])
                except ApiError as error:
                    if error.code != NO_RESPONDERS:
                        raise StoreUnavailableError(f"{error}; nothing was stored.") from error
                else:
                    return
            if call.over:
                raise call.unavailable()
            await call.pause(tries)


class SnapshotReader:
    """Gives the snapshots at or below ``max_version``, newest first, one a page.

    Args:
        snapshots: the actor's.
        max_version: the highest version wanted, or None.
    """

    def __init__(self, snapshots: Snapshots, max_version: int | None) -> None:
        self.snapshots = snapshots
        self.max_version = max_version
        self.done = False
        self._versions: list[int] | None = None

    async def page(self, call: Call) -> list[Snapshot | ReplayError]:
        """Return the next snapshot; an empty page is not the end, ``done`` is."""
        stored = await self._begin(call) if self._versions is None else None
        if not self._versions:
            self.done = True
            return []
        version = self._versions.pop(0)
        if stored is None or stored.number != version:
            subject = f"{self.snapshots.subject}{version}"
            stored = await leader_get(call, self.snapshots.stream, last_by_subj=subject)
        return [] if stored is None else [decode_snapshot(stored, self.snapshots.actor_id)]

    async def _begin(self, call: Call) -> Stored | None:
        """List the versions, and get, at once, what was saved last: mostly that is the newest."""
        stream, pattern = self.snapshots.stream, f"{self.snapshots.subject}*"
        listing, last = await call.ask(
            [
                call.api_request(f"STREAM.INFO.{stream.name}", {"subjects_filter": pattern}),
                leader_request(call, stream, last_by_subj=pattern),
            ]
        )
        held = self.snapshots.versions_in(read_api_reply(listing[0])["state"].get("subjects") or ())
        highest = self.max_version
        self._versions = [each for each in held if highest is None or each <= highest]
        return read_message(last[0])


def decode_snapshot(stored: Stored, actor_id: str) -> Snapshot | ReplayError:
    """Return the snapshot in a message, or the error in its place."""
    try:
        (document,) = load(stored)
        snapshot = Snapshot.from_dict(document)
        if (snapshot.actor_id, snapshot.version) != (actor_id, stored.number):
            raise ValueError("The snapshot is of another actor or version than its subject says.")
    except (ValueError, TypeError, zlib.error) as error:
        return replay_error(stored, error)
    return snapshot
