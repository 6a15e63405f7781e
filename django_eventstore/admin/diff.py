"""Plain values: states as JSON-like data, their leaves by path, and what differs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

Path = tuple[str | int, ...]

MAX_DEPTH: Final = 200
ABSENT: Final = type("Absent", (), {"__repr__": lambda self: "absent"})()
"""Stands for no value, as null is one."""


def plain(value: Any) -> Any:
    """Return ``value``, which a fold made and may be anything, as dicts, lists and scalars.

    Nothing of it is shared with ``value``. What holds itself ends at the place where it comes
    round, and what is nested too deeply at MAX_DEPTH, with ``…``.
    """
    return _plain(value, [])


def _plain(value: Any, around: list[int]) -> Any:
    if value is None or isinstance(value, (str, bool, int, float)):
        return value.value if isinstance(value, Enum) else value
    if len(around) > MAX_DEPTH or id(value) in around:
        return "…"
    around.append(id(value))
    try:
        if isinstance(value, dict):
            return {_key(key): _plain(child, around) for key, child in value.items()}
        if isinstance(value, (list, tuple)):
            return [_plain(child, around) for child in value]
        return _plain_object(value, around)
    finally:
        around.pop()


def _plain_object(value: Any, around: list[int]) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(child, around) for child in value), key=repr)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Enum):
        return _plain(value.value, around)
    if isinstance(value, (Decimal, UUID, timedelta)):
        return str(value)
    held = _fields(value)
    if held is None:
        return _ADDRESS.sub("", repr(value))
    return {name: _plain(child, around) for name, child in held.items()}


_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""In a repr(): another one for each object, though the objects be alike."""


def _fields(value: Any) -> dict[str, Any] | None:
    """Return the fields of an object, None if it does not consist of fields."""
    if isinstance(value, type):
        return None
    if is_dataclass(value):
        names = [field.name for field in fields(value)]
    else:
        names = [name for kind in type(value).__mro__ for name in _slots(kind)]
    slotted: dict[str, Any] = {name: getattr(value, name) for name in names if hasattr(value, name)}
    if hasattr(value, "__dict__"):
        return {**slotted, **vars(value)}
    return slotted or None


def _slots(kind: type) -> list[str]:
    slots = vars(kind).get("__slots__", ())
    names = [slots] if isinstance(slots, str) else list(slots)
    return [name for name in names if not name.startswith("__")]


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(plain(key))


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield (path, value) of every scalar and empty container in the plain ``value``."""
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from leaves(child, (*path, key))
    elif isinstance(value, list) and value:
        for index, child in enumerate(value):
            yield from leaves(child, (*path, index))
    else:
        yield path, value


def path_text(path: Path) -> str:
    """Return a path as people write it: ``lines[2].quantity``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text or "—"


def same(one: Any, other: Any) -> bool:
    """Tell whether two scalars are the same JSON: 1, 1.0 and true are three values."""
    return type(one) is type(other) and one == other


@dataclass(frozen=True, slots=True)
class Difference:
    """One leaf that differs.

    Attributes:
        path: where.
        before: the old value, ABSENT if there was none.
        after: the new value, ABSENT if there is none.
    """

    path: Path
    before: Any
    after: Any

    @property
    def kind(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        if self.before is ABSENT:
            return "added"
        return "removed" if self.after is ABSENT else "changed"

    @property
    def where(self) -> str:
        """The path as text."""
        return path_text(self.path)


def differences(before: Any, after: Any) -> list[Difference]:
    """Return the leaves of two plain values that differ, in the order of the newer value."""
    old, new = dict(leaves(before)), dict(leaves(after))
    found = [
        Difference(path, old.get(path, ABSENT), value)
        for path, value in new.items()
        if path not in old or not same(old[path], value)
    ]
    found += [Difference(path, value, ABSENT) for path, value in old.items() if path not in new]
    # An object that got its first key was an empty leaf before: that is no change of its own.
    return [change for change in found if not _only_emptied(change)]


def _only_emptied(change: Difference) -> bool:
    return change.path == () and (
        (change.after is ABSENT and change.before in ({}, []))
        or (change.before is ABSENT and change.after in ({}, []))
    )
