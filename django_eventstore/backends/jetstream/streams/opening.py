"""The streams: made on first use, compared with the options, and kept apart by namespace."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from ....exceptions import StoreUnavailableError
from ..client.call import ApiError, Call, StreamGone
from ..config import JetStreamConfig
from ..names import EVENTS, SNAPSHOTS
from .configuration import Wanted
from .replicas import check_cluster, check_refusal

logger = logging.getLogger("django_eventstore")

NAME_IN_USE: Final = 10058


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as it is on the server.

    Attributes:
        name: its name.
        prefix: what its subjects begin with, the dot included.
        config: its configuration, as the server gives it.
    """

    name: str
    prefix: str
    config: dict[str, Any]

    @property
    def all_events(self) -> str:
        """The pattern of all that is read: ``>`` where the stream has no other subjects.

        That one the server need not compare with anything.
        """
        own = f"{self.prefix}*.*"
        return ">" if self.config.get("subjects") == [own] else own

    @property
    def direct(self) -> bool:
        """Whether it answers direct gets."""
        return bool(self.config.get("allow_direct"))

    @property
    def atomic(self) -> bool:
        """Whether it takes atomic batches. A server that does not know them drops the setting."""
        return bool(self.config.get("allow_atomic"))


# What this process has opened, by the streams' key in the options, namespace and kind.
_open: dict[tuple[str, str, str], Stream] = {}


def forget_streams(options: JetStreamConfig, namespace: str) -> None:
    """Look at the streams of ``namespace`` again before they are used next."""
    for kind in (EVENTS, SNAPSHOTS):
        _open.pop((options.stream_key, namespace, kind), None)


async def check_stream(call: Call, stream: Stream) -> None:
    """Find out why nobody answers on the stream's subjects.

    Raises:
        StreamGone: it was removed.
        StoreUnavailableError: it has other subjects.
    """
    config = (await call.api(f"STREAM.INFO.{stream.name}"))["config"]
    found, wanted = config.get("subjects", []), f"{stream.prefix}*.*"
    if not any(_covers(subjects, wanted) for subjects in found):
        raise StoreUnavailableError(
            f"The stream {stream.name!r} takes messages on {', '.join(found) or 'no subjects'}, "
            f"not on {wanted}. See setup_event_stores."
        )


def _covers(subjects: str, wanted: str) -> bool:
    """Tell whether a stream's ``subjects`` hold all that ``wanted`` does."""
    for part, other in zip_longest(subjects.split("."), wanted.split(".")):
        if part == ">":
            return True
        if part != other and (part != "*" or other is None):
            return False
    return True


async def find_stream(call: Call, namespace: str, kind: str = EVENTS) -> Stream | None:
    """Return the stream of ``namespace``; None if there is none.

    Raises:
        NamespaceCollisionError: it belongs to another namespace.
    """
    stream = _open.get((call.options.stream_key, namespace, kind))
    if stream is not None:
        return stream
    wanted = Wanted(call.options, namespace, kind)
    config = await _find(call, wanted)
    return None if config is None else _opened(call, wanted, config)


async def open_stream(call: Call, namespace: str, kind: str = EVENTS) -> Stream:
    """Return the stream of ``namespace``; it is made if there is none.

    Raises:
        NamespaceCollisionError: it belongs to another namespace.
        UnsupportedOperation: the server lacks something that an option asks for.
    """
    stream = await find_stream(call, namespace, kind)
    if stream is not None:
        return stream
    wanted = Wanted(call.options, namespace, kind)
    return _opened(call, wanted, await _create(call, wanted))


def _opened(call: Call, wanted: Wanted, config: dict[str, Any]) -> Stream:
    stream = Stream(wanted.name, wanted.prefix, config)
    _open[wanted.options.stream_key, wanted.namespace, wanted.kind] = stream
    for line in wanted.differences(config, call.connection.server_version):
        logger.warning("Stream %s: %s. See setup_event_stores.", stream.name, line)
    return stream


async def _find(call: Call, wanted: Wanted) -> dict[str, Any] | None:
    try:
        info = await call.api(f"STREAM.INFO.{wanted.name}")
    except StreamGone:
        return None
    config: dict[str, Any] = info["config"]
    wanted.check_owner(config)
    return config


async def _create(call: Call, wanted: Wanted) -> dict[str, Any]:
    config = wanted.config(call.connection.server_version)
    try:
        info = await call.api(f"STREAM.CREATE.{wanted.name}", config)
    except ApiError as error:
        if error.err_code != NAME_IN_USE:
            check_refusal(call.options, config, error)
            raise
        # Another process was first: with other options, or for another namespace.
        found = await _find(call, wanted)
        if found is None:
            raise
        return found
    made: dict[str, Any] = info["config"]
    return made


async def set_up(call: Call, namespace: str, kind: str, *, update: bool, check: bool) -> list[str]:
    """Make the stream if it is missing, and compare it; return what differs, a line a field.

    Args:
        call: the call.
        namespace: the namespace.
        kind: events or snapshots.
        update: change what differs.
        check: change nothing, and make nothing.

    Raises:
        NamespaceCollisionError: it belongs to another namespace.
        UnsupportedOperation: the server lacks something that an option asks for.
    """
    stream = Wanted(call.options, namespace, kind)
    config = await _find(call, stream)
    if config is None:
        if check:
            return [f"{stream.name}: does not exist"]
        config = await _create(call, stream)
    version = call.connection.server_version
    found = list(stream.differences(config, version))
    if found and update and not check:
        wanted = stream.config(version)
        await check_cluster(call, config, wanted)
        try:
            await call.api(f"STREAM.UPDATE.{stream.name}", {**config, **wanted})
        except ApiError as error:
            check_refusal(call.options, wanted, error)
            raise
        forget_streams(call.options, namespace)
        return []
    return [f"{stream.name}: {line}" for line in found]
