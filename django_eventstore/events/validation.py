"""What every store accepts, checked in one place before anything is written.

A store never gets to see what another store could not hold: so all refuse the same input,
with the same error, and what is accepted comes back equal from each of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from ..exceptions import InvalidEventError

MAX_TEXT_LENGTH: Final = 255
"""Longest actor id, event type, event id and command id, in characters."""

MAX_VERSION: Final = 2**63 - 1
"""Highest version of an event."""

MAX_DEPTH: Final = 200
"""How deep ``data`` and a snapshot's ``state`` may nest, itself counted."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def check_text(field: str, value: object, *, limit: int = MAX_TEXT_LENGTH) -> str:
    """Return ``value`` if it is a name: text of 1 to ``limit`` printable characters.

    Raises:
        InvalidEventError: naming ``field`` and the reason.
    """
    # isprintable() is one fast call that almost every name passes; the rest is looked at closely
    # (printable excludes U+2028 and directional marks, which are allowed).
    if type(value) is str and 0 < len(value) <= limit and value.isprintable():
        return value
    if not isinstance(value, str):
        raise InvalidEventError(
            field,
            f"must be text (str), got {type(value).__name__} {_brief(value)}; convert it yourself, "
            f"for example with str().",
        )
    if not value:
        raise InvalidEventError(field, "must not be empty.")
    if len(value) > limit:
        raise InvalidEventError(field, f"has {len(value)} characters; the limit is {limit}.")
    if found := _CONTROL.search(value):
        raise InvalidEventError(
            field,
            f"holds the control character U+{ord(found[0]):04X} at place {found.start()}; "
            f"remove it.",
        )
    if found := _SURROGATE.search(value):
        raise InvalidEventError(
            field, f"holds the lone surrogate U+{ord(found[0]):04X}, which is no character."
        )
    return value


def check_characters(field: str, value: object) -> str:
    """Return ``value`` if it is text of characters that every store holds.

    Raises:
        InvalidEventError: it is no text, or holds a NUL character or a lone surrogate.
    """
    if not isinstance(value, str):
        raise InvalidEventError(
            field, f"must be text (str), got {type(value).__name__} {_brief(value)}."
        )
    if fault := _character_fault(value):
        raise InvalidEventError(field, fault)
    return value


def _character_fault(text: str) -> str:
    if "\x00" in text:
        return "holds a NUL character, which not all stores hold; remove it."
    if not text.isascii() and _SURROGATE.search(text):
        return "holds a lone surrogate, which is no character."
    return ""


def check_integer(field: str, value: object, *, minimum: int, maximum: int = MAX_VERSION) -> int:
    """Return ``value`` if it is an int (and no bool) from ``minimum`` to ``maximum``.

    Raises:
        InvalidEventError: naming ``field`` and the reason.
    """
    if type(value) is not int:
        raise InvalidEventError(
            field, f"must be an integer (int), got {type(value).__name__} {_brief(value)}."
        )
    if not minimum <= value <= maximum:
        shown = _brief(value)
        raise InvalidEventError(field, f"must be from {minimum} to {maximum}, got {shown}.")
    return value


def check_timestamp(field: str, value: object) -> datetime:
    """Return ``value`` in UTC.

    Raises:
        InvalidEventError: it is no datetime, is naive, or leaves the years 1 to 9999 in UTC.
    """
    if not isinstance(value, datetime):
        raise InvalidEventError(
            field, f"must be an aware datetime, got {type(value).__name__} {_brief(value)}."
        )
    if value.tzinfo is UTC:
        return value
    try:
        if value.utcoffset() is None:
            raise InvalidEventError(
                field,
                f"{value!r} is naive; give it a time zone, for example with "
                f"django.utils.timezone.make_aware().",
            )
        return value.astimezone(UTC)
    except OverflowError as error:
        raise InvalidEventError(field, f"{value!r} does not fit the calendar in UTC.") from error


def check_metadata(metadata: object) -> None:
    """Check that ``metadata`` maps text to text.

    Raises:
        InvalidEventError: naming the key and the reason.
    """
    if not isinstance(metadata, Mapping):
        raise InvalidEventError(
            "metadata", f"must map text to text (dict), got {type(metadata).__name__}."
        )
    for key, value in metadata.items():
        # Printable text, as almost all is, holds nothing that is refused below.
        if type(key) is str and type(value) is str and key.isprintable() and value.isprintable():
            continue
        if fault := _key_fault(key):
            raise InvalidEventError("metadata", fault)
        check_characters(f"metadata[{key!r}]", value)


def encode_json(field: str, value: object) -> tuple[bytes, Any]:
    """Return ``value`` as JSON text in UTF-8, and the equal value that the text decodes to.

    Keys keep their order; integers have up to 64 bits; floats keep their type.

    Raises:
        InvalidEventError: naming the path inside ``field`` and the reason.
    """
    try:
        encoded = orjson.dumps(value)
    except TypeError as error:  # orjson.JSONEncodeError is a TypeError
        raise _json_complaint(field, value) from error
    # Encoded text decides quickly; what looks suspicious is walked.
    if b"\\u0000" in encoded or encoded.count(b"[") + encoded.count(b"{") > MAX_DEPTH:
        for path, reason in _json_faults(field, value):
            raise InvalidEventError(path, reason)
    decoded = orjson.loads(encoded)
    if decoded != value:
        raise _json_complaint(field, value)
    return encoded, decoded


def _json_complaint(field: str, value: object) -> InvalidEventError:
    for path, reason in _json_faults(field, value):
        return InvalidEventError(path, reason)
    return InvalidEventError(field, "does not come back equal from JSON.")


def _json_faults(field: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield (path, reason) for what JSON cannot hold; a loop, so that no depth overflows it."""
    todo: list[tuple[str, object, int]] = [(field, value, 1)]
    while todo:
        path, item, depth = todo.pop()
        if not isinstance(item, (dict, list)):
            if fault := _scalar_fault(item):
                yield path, fault
        elif depth > MAX_DEPTH:
            yield path[:200], f"nests deeper than {MAX_DEPTH} levels (or within itself)."
            return
        elif isinstance(item, list):
            children = [(f"{path}[{index}]", child) for index, child in enumerate(item)]
            todo.extend((name, child, depth + 1) for name, child in reversed(children))
        else:
            yield from ((path, fault) for key in item if (fault := _key_fault(key)))
            children = [(f"{path}[{_brief(key)}]", child) for key, child in item.items()]
            todo.extend((name, child, depth + 1) for name, child in reversed(children))


def _key_fault(key: object) -> str:
    if type(key) is not str:  # nor a subclass, which would come back as another type
        return f"has the key {_brief(key)}, of type {type(key).__name__}; keys must be text (str)."
    fault = _character_fault(key)
    return f"has the key {key!r}, which {fault}" if fault else ""


def _scalar_fault(item: object) -> str:
    """Return what is wrong with a value that holds no others, or an empty text."""
    if isinstance(item, str):
        return _character_fault(item)
    if isinstance(item, int):
        in_range = -(2**63) <= item < 2**64
        return "" if in_range else "is an integer of more than 64 bits; store it as text."
    if isinstance(item, float):
        finite = math.isfinite(item)
        return "" if finite else f"is {item}, which JSON does not have; use null or text."
    if item is None:
        return ""
    return (
        f"is a {type(item).__name__}, which does not come back equal from JSON; convert it to "
        f"text, a number, a list or a dict (a datetime with .isoformat())."
    )


def _brief(value: object) -> str:
    """Return a short ``repr``, whatever the value."""
    try:
        text = repr(value)
    except Exception:  # repr() of a stranger's object, or of an integer of 5,000 digits
        return f"<{type(value).__name__}>"
    return text if len(text) <= 60 else f"{text[:57]}..."


def check_data(data: Any) -> tuple[bytes, dict[str, Any]]:
    """Return an event's ``data`` as JSON text, and a deep copy of it.

    Raises:
        InvalidEventError: it is no dict, or holds what JSON does not.
    """
    if not isinstance(data, dict):
        raise InvalidEventError(
            "data", f"must be a JSON object (dict), got {type(data).__name__} {_brief(data)}."
        )
    return encode_json("data", data)
