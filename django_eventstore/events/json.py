"""Where two events, or two JSON values, differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from .event import Event


def same_json(one: Any, two: Any) -> bool:
    """Tell whether two JSON values are equal; the order of keys is no difference.

    As text: 1, 1.0 and True are equal in Python, and different JSON.
    """
    return _encode(one) == _encode(two)


def event_differences(event: Event, other: Event) -> list[str]:
    """Return the fields in which two events differ, but for positions, each with both values."""
    one, two = event.to_dict(), other.to_dict()
    del one["position"], two["position"]
    return [text for name in one for text in differing(name, one[name], two[name])]


def differing(path: str, one: Any, two: Any) -> Iterator[str]:
    """Yield where two JSON values differ, as ``path: value != value``.

    As text: 1, 1.0 and True are equal in Python, and different JSON.
    """
    if _encode(one, orjson.OPT_NON_STR_KEYS) == _encode(two, orjson.OPT_NON_STR_KEYS):
        return
    if isinstance(one, dict) and isinstance(two, dict):
        for key in dict.fromkeys([*one, *two]):
            inner = f"{path}[{key!r}]"
            if key not in two:
                yield f"{inner}: {_brief(one[key])} != (absent)"
            elif key not in one:
                yield f"{inner}: (absent) != {_brief(two[key])}"
            else:
                yield from differing(inner, one[key], two[key])
        if one.keys() == two.keys() and list(one) != list(two):
            yield f"{path}: the keys are in another order"
    elif isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        for place, (left, right) in enumerate(zip(one, two, strict=True)):
            yield from differing(f"{path}[{place}]", left, right)
    else:
        yield f"{path}: {_brief(one)} != {_brief(two)}"


def _brief(value: Any) -> str:
    text = _encode(value, orjson.OPT_NON_STR_KEYS).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."


def _encode(value: Any, option: int = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS) -> bytes:
    """Return ``value`` as JSON text; a fold's state may hold what JSON does not have."""
    try:
        return orjson.dumps(value, default=repr, option=option)
    except TypeError:
        return repr(value).encode()
