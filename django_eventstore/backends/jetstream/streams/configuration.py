"""What the options ask of a stream, and in what a stream differs from it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import orjson

from ....exceptions import NamespaceCollisionError, UnsupportedOperation
from ..config import JetStreamConfig
from ..names import EVENTS, SNAPSHOTS, stream_name

S2_SINCE: Final = (2, 10)
ATOMIC_SINCE: Final = (2, 12)
ATOMIC_NEEDS: Final = "nats-server 2.12 or newer and the option allow_atomic"


class Wanted:
    """A stream as the options ask for it.

    Attributes:
        options: the store's options.
        namespace: the namespace.
        kind: events or snapshots.
        name: the stream's name.
        prefix: what its subjects begin with, the dot included.
        description: the record of whose stream it is.
    """

    def __init__(self, options: JetStreamConfig, namespace: str, kind: str) -> None:
        base = stream_name(namespace, options.stream_name)
        self.options, self.namespace, self.kind = options, namespace, kind
        self.name = base if kind == EVENTS else f"{base}_{kind}"
        self.prefix = f"{base}.{kind}."
        # In the description, which every server keeps (metadata came with 2.10), and which people
        # see beside the stream's name.
        exact = orjson.dumps({"namespace": namespace, "stream_name": options.stream_name}).decode()
        self.description = f"django-eventstore {kind} {exact}"

    def check_owner(self, config: dict[str, Any]) -> None:
        """Make sure that the stream with this configuration is the one that is wanted.

        Raises:
            NamespaceCollisionError: it belongs to another namespace.
        """
        found = config.get("description", "")
        if found not in ("", self.description):
            raise NamespaceCollisionError(
                f"The stream {config['name']!r} is recorded as {found!r}, so it cannot hold the "
                f"{self.kind} of namespace {self.namespace!r} with stream_name "
                f"{self.options.stream_name!r}. Both give the same name on the server: rename one "
                f"of them."
            )

    def config(self, version: tuple[int, ...]) -> dict[str, Any]:
        """Return the configuration, as far as a server of this version knows it.

        Raises:
            UnsupportedOperation: the server lacks something that an option asks for.
        """
        options = self.options
        config: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "subjects": [f"{self.prefix}*.*"],
            "retention": "limits",
            "storage": options.storage,
            "num_replicas": options.replicas,
            "allow_direct": options.allow_direct,
            "duplicate_window": _nanoseconds(options.duplicate_window),
        }
        if self.kind == SNAPSHOTS:
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
                    f"compression={options.compression!r} needs nats-server 2.10 or newer; this "
                    f"one is {'.'.join(map(str, version))}."
                )
            config["compression"] = options.compression
        placement = {"cluster": options.placement_cluster, "tags": options.placement_tags}
        if any(placement.values()):
            config["placement"] = {name: value for name, value in placement.items() if value}
        return config

    def differences(self, config: dict[str, Any], version: tuple[int, ...]) -> Iterator[str]:
        """Yield what in a stream's configuration is not as the options ask, field by field."""
        for name, wanted in self.config(version).items():
            found = config.get(name, type(wanted)())
            if found != wanted:
                yield f"{name} is {_shown(name, found)}, the options say {_shown(name, wanted)}"


def _nanoseconds(duration: timedelta | None) -> int:
    return 0 if duration is None else round(duration.total_seconds() * 1_000_000_000)


def _shown(name: str, value: Any) -> str:
    if name in ("max_age", "duplicate_window"):
        return str(timedelta(microseconds=value // 1000)) if value else "unlimited"
    return repr(value)
