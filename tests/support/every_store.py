"""A store of each kind: one by one, or all of them to be given the same and compared."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings

from django_eventstore import Event, EventStore, EventStoreError, event_stores
from django_eventstore.backends.memory import InMemoryEventStore
from tests.servers import NatsServer
from tests.support.database import ALL, on_each
from tests.support.jetstream import open_store

# Those of this machine: Django's, and ours beside them.
DATABASES = list(settings.DATABASES)

_numbers = itertools.count(1)
_run = secrets.token_hex(3)


@pytest.fixture(params=["memory", *on_each(*ALL, transactions=True), "nats"])
def every_store(request: pytest.FixtureRequest) -> EventStore:
    """A store of each kind in turn, in a namespace that is empty."""
    namespace = f"every-{uuid4().hex[:16]}"
    if request.param == "memory":
        return InMemoryEventStore(namespace=namespace)
    if request.param == "nats":
        return open_store(request.getfixturevalue("nats_server").url, namespace)
    return event_stores[request.param].with_namespace(namespace)


def open_stores(server: NatsServer) -> dict[str, EventStore]:
    """Return a store of each kind by name."""
    return {
        "memory": InMemoryEventStore(location="properties"),
        **{alias: event_stores[alias] for alias in DATABASES},
        "jetstream": open_store(server.url),
    }


def fresh_namespace() -> str:
    """Return a namespace that nobody has used."""
    return f"properties-{_run}-{next(_numbers)}"


@dataclass(frozen=True)
class Refused:
    """The error that a call ended with: its class, and what it carries."""

    error: type[Exception]
    attributes: Mapping[str, Any]


def outcome(call: Callable[[], Any]) -> Any:
    """Return what `call` returns, or a `Refused`; what is no error of ours passes through."""
    try:
        return call()
    except EventStoreError as error:
        return Refused(type(error), vars(error))


def form(value: Any) -> Any:
    """
    Return what must be equal for results of different stores to be the same.

    Positions differ from store to store, so they are left out. `repr` tells 1 from 1.0 and True,
    0.0 from -0.0, and the order of keys.
    """
    if isinstance(value, Event):
        document = value.to_dict()
        del document["position"]
        return repr(document)
    if isinstance(value, Refused):
        return value.error.__name__, repr(sorted(value.attributes.items()))
    if isinstance(value, (list, tuple)):
        return [form(item) for item in value]
    return repr(value)
