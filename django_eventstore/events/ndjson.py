"""Events in files: NDJSON, one JSON object a line, the form of ``Event.to_dict()``.

Reading is strict. What JSON parsers let through, and would change (a key given twice, a number
that becomes infinite, an integer that becomes a float), is refused with the line's number.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, Protocol

import orjson

from ..exceptions import InvalidEventError
from .event import Event

MAX_LINE_BYTES: Final = 32 * 2**20
"""Longest line that is read, in bytes; a longer one is refused without holding it in memory."""

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_NEEDED: Final = ("id", "timestamp")
_CHUNK: Final = 2**20
# The field that an InvalidEventError names where the whole line is at fault.
_LINE: Final = "line"


class Line(NamedTuple):
    """An event, and the number of its line (from 1)."""

    number: int
    event: Event


class BadLine(NamedTuple):
    """The number of a line (from 1) that holds no event to store, and why."""

    number: int
    reason: str


class LineSource(Protocol):
    """What is read from: a file opened in binary mode, or anything with its ``readline()``."""

    def readline(self, limit: int = -1, /) -> bytes:
        """Return the next line with its end, at most ``limit`` bytes; ``b""`` at the end."""
        ...


def read_ndjson(
    stream: LineSource, *, max_line_bytes: int = MAX_LINE_BYTES
) -> Iterator[Line | BadLine]:
    """Yield the event of each line, and a BadLine in the place of each that holds none.

    Blank lines are passed over, and so is a byte order mark in front of the first. ``id`` and
    ``timestamp`` are needed: without them reading a file twice would make other events of it.
    """
    number = 0
    while raw := stream.readline(max_line_bytes + 1):
        number += 1
        if len(raw) > max_line_bytes and not raw.endswith(b"\n"):
            _skip_line(stream)
            yield BadLine(number, f"is longer than {max_line_bytes:,} bytes.")
            continue
        if number == 1:
            raw = raw.removeprefix(_BOM)
        raw = raw.strip(_BLANK)
        if not raw:
            continue
        try:
            yield Line(number, _to_event(_parse(raw)))
        except InvalidEventError as error:
            yield BadLine(number, error.reason if error.field == _LINE else str(error))


def to_line(event: Event) -> bytes:
    """Return the line of ``event``, with its end."""
    return orjson.dumps(event.to_dict(), option=orjson.OPT_APPEND_NEWLINE)


def _skip_line(stream: LineSource) -> None:
    while (chunk := stream.readline(_CHUNK)) and not chunk.endswith(b"\n"):
        pass


def _to_event(document: Any) -> Event:
    if isinstance(document, dict):
        for name in _NEEDED:
            if name not in document:
                raise InvalidEventError(
                    name, "is missing; without it, importing again would make another event."
                )
    return Event.from_dict(document)


def _parse(raw: bytes) -> Any:
    """Return what the JSON text says.

    Raises:
        InvalidEventError: it is no JSON, or would not come out as it is written.
    """
    try:
        document = orjson.loads(raw)
        # Text that comes out as it went in has lost nothing: the quick way for our own files.
        if orjson.dumps(document) == raw:
            return document
        return json.loads(
            raw, object_pairs_hook=_object, parse_float=_float, parse_constant=_constant
        )
    except InvalidEventError:
        raise
    except json.JSONDecodeError as error:  # also what orjson raises
        reason = f"{error.msg} (at character {error.pos + 1})"
        raise InvalidEventError(_LINE, f"is not JSON: {reason}.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidEventError(_LINE, f"is not JSON: {error}.") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        ((key, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise InvalidEventError(_LINE, f"holds the key {key!r} twice in one object.")
    return members


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidEventError(_LINE, f"holds the number {text[:30]}, which is out of range.")
    return number


def _constant(text: str) -> Any:
    raise InvalidEventError(_LINE, f"holds {text}, which is not JSON.")
