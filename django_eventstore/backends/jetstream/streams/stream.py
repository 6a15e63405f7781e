"""The streams: made on first use, compared with the options, and kept apart by namespace."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from typing import Any, Final

import orjson

from ....exceptions import NamespaceCollisionError, StoreUnavailableError, UnsupportedOperation
from ..client.call import ApiError, Call, StreamGone
from ..config import JetStreamConfig
from ..names import EVENTS, SNAPSHOTS, stream_name
from .replicas import check_cluster, check_refusal

logger = logging.getLogger("django_eventstore")

NAME_IN_USE: Final = 10058
S2_SINCE: Final = (2, 10)
ATOMIC_SINCE: Final = (2, 12)
ATOMIC_NEEDS: Final = "nats-server 2.12 or newer and the option allow_atomic"


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


# What this process has opened.
_open: dict[tuple[str, str, str], Stream] = {}


def _key(options: JetStreamConfig, namespace: str, kind: str) -> tuple[str, str, str]:
    return options.stream_key, namespace, kind


def forget_streams(options: JetStreamConfig, namespace: str) -> None:
    """Look at the streams of ``namespace`` again before they are used next."""
    for kind in (EVENTS, SNAPSHOTS):
        _open.pop(_key(options, namespace, kind), None)


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
    stream = _open.get(_key(call.options, namespace, kind))
    if stream is not None:
        return stream
    config = await _find(call, namespace, kind)
    return None if config is None else _opened(call, namespace, kind, config)


async def open_stream(call: Call, namespace: str, kind: str = EVENTS) -> Stream:
    """Return the stream of ``namespace``; it is made if there is none.

    Raises:
        NamespaceCollisionError: it belongs to another namespace.
        UnsupportedOperation: the server lacks something that an option asks for.
    """
    stream = await find_stream(call, namespace, kind)
    if stream is not None:
        return stream
    return _opened(call, namespace, kind, await _create(call, namespace, kind))


def _opened(call: Call, namespace: str, kind: str, config: dict[str, Any]) -> Stream:
    options = call.options
    base = stream_name(namespace, options.stream_name)
    stream = Stream(wanted_name(options, namespace, kind), f"{base}.{kind}.", config)
    _open[_key(options, namespace, kind)] = stream
    for line in differences(options, namespace, kind, config, call):
        logger.warning("Stream %s: %s. See setup_event_stores.", stream.name, line)
    return stream


async def _find(call: Call, namespace: str, kind: str) -> dict[str, Any] | None:
    name = wanted_name(call.options, namespace, kind)
    try:
        info = await call.api(f"STREAM.INFO.{name}")
    except StreamGone:
        return None
    config: dict[str, Any] = info["config"]
    _check_owner(call.options, namespace, kind, config)
    return config


async def _create(call: Call, namespace: str, kind: str) -> dict[str, Any]:
    wanted = wanted_config(call.options, namespace, kind, call)
    try:
        info = await call.api(f"STREAM.CREATE.{wanted['name']}", wanted)
    except ApiError as error:
        if error.err_code != NAME_IN_USE:
            check_refusal(call.options, wanted, error)
            raise
        # Another process was first: with other options, or for another namespace.
        config = await _find(call, namespace, kind)
        if config is None:
            raise
        return config
    made: dict[str, Any] = info["config"]
    return made


def wanted_name(options: JetStreamConfig, namespace: str, kind: str) -> str:
    """Return the name of the stream for ``kind``."""
    base = stream_name(namespace, options.stream_name)
    return base if kind == EVENTS else f"{base}_{kind}"


def _description(options: JetStreamConfig, namespace: str, kind: str) -> str:
    # The record of whose stream it is. In the description, which every server keeps (metadata
    # came with 2.10), and which people see beside the stream's name.
    exact = orjson.dumps({"namespace": namespace, "stream_name": options.stream_name}).decode()
    return f"django-eventstore {kind} {exact}"


def _check_owner(
    options: JetStreamConfig, namespace: str, kind: str, config: dict[str, Any]
) -> None:
    found = config.get("description", "")
    if found not in ("", _description(options, namespace, kind)):
        raise NamespaceCollisionError(
            f"The stream {config['name']!r} is recorded as {found!r}, so it cannot hold the {kind} "
            f"of namespace {namespace!r} with stream_name {options.stream_name!r}. Both give the "
            f"same name on the server: rename one of them."
        )


def wanted_config(
    options: JetStreamConfig, namespace: str, kind: str, call: Call
) -> dict[str, Any]:
    """Return the configuration that the options ask for, as far as the server knows it.

    Raises:
        UnsupportedOperation: the server lacks something that an option asks for.
    """
    version = call.connection.server_version
    base = stream_name(namespace, options.stream_name)
    config: dict[str, Any] = {
        "name": wanted_name(options, namespace, kind),
        "description": _description(options, namespace, kind),
        "subjects": [f"{base}.{kind}.*.*"],
        "retention": "limits",
        "storage": options.storage,
        "num_replicas": options.replicas,
        "allow_direct": options.allow_direct,
        "duplicate_window": _nanoseconds(options.duplicate_window),
    }
    if kind == SNAPSHOTS:
        config |= {"max_age": 0, "max_msgs_per_subject": 1}
    else:
        config |= {
            "max_age": _nanoseconds(options.max_age),
            # A full stream refuses new events; it never drops old ones.
            "discard": "new",
            "deny_delete": options.deny_delete,
            "deny_purge": options.deny_purge,
        }
        if version >= ATOMIC_SINCE:
            config["allow_atomic"] = options.allow_atomic
    if options.compression != "none":
        if version < S2_SINCE:
            raise UnsupportedOperation(
                f"compression={options.compression!r} needs nats-server 2.10 or newer; this one "
                f"is {'.'.join(map(str, version))}."
            )
        config["compression"] = options.compression
    if options.placement_cluster or options.placement_tags:
        config["placement"] = {
            name: value
            for name, value in (
                ("cluster", options.placement_cluster),
                ("tags", options.placement_tags),
            )
            if value
        }
    return config


def differences(
    options: JetStreamConfig, namespace: str, kind: str, config: dict[str, Any], call: Call
) -> Iterator[str]:
    """Yield what in ``config`` is not as the options ask, field by field."""
    for name, wanted in wanted_config(options, namespace, kind, call).items():
        found = config.get(name, type(wanted)())
        if found != wanted:
            yield f"{name} is {_shown(name, found)}, the options say {_shown(name, wanted)}"


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
    name = wanted_name(call.options, namespace, kind)
    config = await _find(call, namespace, kind)
    if config is None:
        if check:
            return [f"{name}: does not exist"]
        config = await _create(call, namespace, kind)
    found = list(differences(call.options, namespace, kind, config, call))
    if found and update and not check:
        wanted = wanted_config(call.options, namespace, kind, call)
        await check_cluster(call, config, wanted)
        try:
            await call.api(f"STREAM.UPDATE.{name}", {**config, **wanted})
        except ApiError as error:
            check_refusal(call.options, wanted, error)
            raise
        forget_streams(call.options, namespace)
        return []
    return [f"{name}: {line}" for line in found]


def _nanoseconds(duration: Any) -> int:
    return 0 if duration is None else round(duration.total_seconds() * 1_000_000_000)


def _shown(name: str, value: Any) -> str:
    if name in ("max_age", "duplicate_window"):
        return str(timedelta(microseconds=value // 1000)) if value else "unlimited"
    return repr(value)
