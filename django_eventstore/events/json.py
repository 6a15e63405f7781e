"""JSON values: whether two are the same, and where they differ."""

from __future__ import annotations

import json
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


def same_json(one: Any, two: Any) -> bool:
    """Tell whether two JSON values are the same; the order of keys is no difference.

    By their text: 1, 1.0 and True are equal in Python, and different JSON, and so are the two
    zeros, 0.0 and -0.0.
    """
    if one is two:
        return True
    if type(one) is type(two) and type(one) in (str, int):  # the quick way for most values
        return bool(one == two)
    return _text(one, sort_keys=True) == _text(two, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where two JSON values differ.

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
        """The path as people write it."""
        return path_text(self.path)

    def __str__(self) -> str:
        where = "".join([str(self.path[0]), *(f"[{part!r}]" for part in self.path[1:])])
        if isinstance(self.before, dict) and isinstance(self.after, dict):
            return f"{where}: the keys are in another order"
        return f"{where}: {_brief(self.before)} != {_brief(self.after)}"


def differences(
    before: Any, after: Any, path: Path = (), *, ordered: bool = False
) -> Iterator[Difference]:
    """Yield where two JSON values (or ABSENT) differ, in the order of the newer one.

    What only one of them has is one difference, and so are two lists of different lengths; with
    ``ordered`` so are two objects whose keys are in another order.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*after, *before]):
            old, new = before.get(key, ABSENT), after.get(key, ABSENT)
            yield from differences(old, new, (*path, key), ordered=ordered)
        if ordered and before.keys() == after.keys() and list(before) != list(after):
            yield Difference(path, before, after)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, (*path, index), ordered=ordered)
    elif before is ABSENT or after is ABSENT or not same_json(before, after):
        yield Difference(path, before, after)


def leaf_differences(before: Any, after: Any) -> Iterator[Difference]:
    """Yield the leaves in which two JSON values differ: what came or went, each value of it."""
    for found in differences(before, after):
        old, new = dict(leaves(found.before, found.path)), dict(leaves(found.after, found.path))
        for path in {**new, **old}:
            yield from differences(old.get(path, ABSENT), new.get(path, ABSENT), path)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield (path, value) of every scalar and empty container in the plain ``value``, if any."""
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from leaves(child, (*path, key))
    elif isinstance(value, list) and value:
        for index, child in enumerate(value):
            yield from leaves(child, (*path, index))
    elif value is not ABSENT:
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


def _brief(value: Any) -> str:
    text = "(absent)" if value is ABSENT else _text(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _text(value: Any, *, sort_keys: bool = False) -> str:
    """Return JSON text; not with orjson: a fold's state may hold NaN, or integers of any size."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=sort_keys)


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
