"""Typed options."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_eventstore.backends.options import Options


@dataclass(frozen=True, kw_only=True)
class Config(Options):
    replicas: int = 1
    ratio: float = 0.5
    name: str = "events"
    max_age: timedelta | None = timedelta(days=365)
    servers: list[str] = field(default_factory=lambda: ["a"])
    sync: bool = True


def make(**given):
    return Config.from_mapping(given, where="HERE")


def test_defaults():
    assert make() == Config(
        replicas=1, ratio=0.5, name="events", max_age=timedelta(days=365), servers=["a"], sync=True
    )


def test_zero_is_the_default():
    zeros = make(replicas=0, ratio=0.0, name="", max_age=timedelta(0), servers=None)
    assert zeros == make()
    assert make(replicas=None, sync=None) == make()


def test_none_is_a_value_where_the_type_says_so():
    assert make(max_age=None).max_age is None


def test_values():
    given = make(replicas=3, ratio=2, name="x", sync=False, servers=["b", "c"])
    assert (given.replicas, given.ratio, given.name, given.sync) == (3, 2, "x", False)
    assert given.servers == ["b", "c"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"replica": 1}, "HERE: unknown option 'replica'; did you mean 'replicas'"),
        ({"zzz": 1}, "HERE: unknown option 'zzz'. Known options: max_age, name"),
        ({"replicas": "3"}, "HERE: replicas must be int, got str"),
        ({"replicas": True}, "HERE: replicas must be int, got bool"),
        ({"replicas": 1.5}, "HERE: replicas must be int, got float"),
        ({"replicas": -1}, "HERE: replicas must not be negative"),
        ({"max_age": 365}, "HERE: max_age must be None or timedelta, got int"),
        ({"max_age": timedelta(-1)}, "HERE: max_age must not be negative"),
        ({"servers": "a"}, "HERE: servers must be list, got str"),
        ({"sync": 1}, "HERE: sync must be bool, got int"),
    ],
)
def test_what_is_wrong(given, told):
    with pytest.raises(ImproperlyConfigured, match=told):
        make(**given)
