"""Typed options: dataclasses with defaults, made from a settings dictionary."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Self

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, kw_only=True)
class Options:
    """The base of every config dataclass.

    Zero (``0``, ``""``, ``timedelta(0)``) or absent means the field's default; so does ``None``,
    except for a field whose type allows ``None``.

    Raises:
        ImproperlyConfigured: a value has the wrong type or is negative; names the option.
    """

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for option in fields(self):
            value = getattr(self, option.name)
            allowed = _allowed_types(hints[option.name])
            if _is_zero(value) or (value is None and type(None) not in allowed):
                make = option.default_factory
                default = make() if callable(make) else option.default
                object.__setattr__(self, option.name, default)
                continue
            if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
                names = " or ".join(sorted(kind.__name__.removesuffix("Type") for kind in allowed))
                raise ImproperlyConfigured(
                    f"{option.name} must be {names}, got {type(value).__name__}."
                )
            seconds = value.total_seconds() if isinstance(value, timedelta) else value
            if isinstance(seconds, (int, float)) and seconds < 0:
                raise ImproperlyConfigured(f"{option.name} must not be negative, got {value}.")

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any], *, where: str) -> Self:
        """Return the config that ``given`` describes.

        Args:
            given: option names to values.
            where: what to call the place in errors, for example ``EVENT_STORES["default"]``.

        Raises:
            ImproperlyConfigured: an option is unknown (names the nearest known one) or wrong.
        """
        known = [option.name for option in fields(cls)]
        for name in given:
            if name not in known:
                near = get_close_matches(str(name), known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else "."
                raise ImproperlyConfigured(
                    f"{where}: unknown option {name!r}{hint} Known options: "
                    f"{', '.join(sorted(known))}."
                )
        try:
            return cls(**given)
        except ImproperlyConfigured as error:
            raise ImproperlyConfigured(f"{where}: {error}") from error


def _allowed_types(hint: Any) -> tuple[type, ...]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(kind for part in typing.get_args(hint) for kind in _allowed_types(part))
    if hint is float:
        return (float, int)
    return (typing.get_origin(hint) or hint,)


def _is_zero(value: object) -> bool:
    return not isinstance(value, bool) and value in (0, "", timedelta(0))
