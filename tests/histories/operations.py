"""What clients did: operations, recorded so that a killed client leaves all but its last answer."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

Kind = Literal["append", "read", "latest", "tail"]
Outcome = Literal["ok", "conflict", "failed", "unknown", "wrong"]

NEVER = 2**63
"""The end of an operation that may take effect at any time after its beginning."""


class Stored(NamedTuple):
    """An event as it was read, or acknowledged."""

    id: str
    actor: str
    version: int
    position: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of a store by one client.

    Attributes:
        client: whose call it was; a client makes one call at a time.
        kind: `append` (one or more events, all or none), `read` (an actor's events from a version
            on), `latest` (an actor's latest version), `tail` (a page of the whole store).
        invoked: when it began, in nanoseconds of the machine's monotonic clock.
        returned: when it ended; NEVER where the client died in it.
        outcome: `ok`; `conflict` (refused); `failed` (the store says that nothing was written);
            `unknown` (it may have been written; a killed client's, too); `wrong` (the call raised
            what no caller expects, or took too long).
        actor: whose events were read.
        after: read: the lowest version wanted; tail: the position behind which to read.
        events: append: (id, actor) of each event.
        expected: append: the version at which the actor was expected, or None.
        found: append: where the events were put; read, tail: what was read.
        version: latest: the answer; conflict: the actor's version according to the error.
        detail: the text of what was raised.
    """

    client: str
    kind: Kind
    invoked: int
    returned: int = NEVER
    outcome: Outcome = "unknown"
    actor: str = ""
    after: int = 0
    events: tuple[tuple[str, str], ...] = ()
    expected: int | None = None
    found: tuple[Stored, ...] = ()
    version: int | None = None
    detail: str = ""

    def __str__(self) -> str:
        what = {
            "append": f"append of {', '.join(event_id for event_id, _ in self.events)}"
            + ("" if self.expected is None else f" expecting {self.expected}"),
            "read": f"read of {self.actor} from {self.after}",
            "latest": f"latest version of {self.actor}",
            "tail": f"read of the store after {self.after}",
        }[self.kind]
        answer = "" if self.version is None else f" {self.version}"
        answer += f" [{_span(self.found)}]" if self.found else ""
        ended = "never" if self.returned == NEVER else f"{self.returned / 1e9:.6f}"
        return (
            f"{self.client}: {what} -> {self.outcome}{answer} "
            f"({self.invoked / 1e9:.6f} to {ended}){f': {self.detail}' if self.detail else ''}"
        )


def _span(found: Sequence[Stored]) -> str:
    first, last = found[0], found[-1]
    text = f"version {first.version} at {first.position}"
    return text if first is last else f"{text} to version {last.version} at {last.position}"


class Recorder:
    """Writes one client's operations to a file: a line when one begins, another when it ends."""

    def __init__(self, path: Path, client: str) -> None:
        self.client = client
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def begin(self, kind: Kind, **asked: Any) -> None:
        """Record that an operation begins; `asked` are fields of `Operation`."""
        self._write({"kind": kind, "invoked": time.monotonic_ns(), **asked})

    def end(self, outcome: Outcome, **answer: Any) -> None:
        """Record the end of the operation that began last."""
        self._write({"returned": time.monotonic_ns(), "outcome": outcome, **answer})

    def _write(self, record: dict[str, Any]) -> None:
        # Straight to the operating system: what is written survives this process.
        os.write(self._file, json.dumps(record).encode() + b"\n")


def read_operations(path: Path, client: str) -> list[Operation]:
    """Return what a `Recorder` wrote; an operation without an end is `unknown`."""
    operations: list[Operation] = []
    begun: dict[str, Any] | None = None
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):  # killed while it wrote
            break
        record = json.loads(line)
        if "kind" in record:
            begun = record
        elif begun is not None:
            operations.append(_operation(client, begun | record))
            begun = None
    if begun is not None:
        operations.append(_operation(client, begun))
    return operations


def _operation(client: str, record: dict[str, Any]) -> Operation:
    for name, kind in (("events", tuple), ("found", Stored._make)):
        if name in record:
            record[name] = tuple(map(kind, record[name]))
    return Operation(client, **record)


def stored(events: Iterable[Any]) -> list[Stored]:
    """Return what `Event`s say of where they are stored."""
    return [Stored(event.id, event.actor_id, event.version, event.position) for event in events]
