"""All stores of this machine, to be given the same, and asked whether they did the same."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from django_eventstore import Event, EventStore, EventStoreError, event_stores
from django_eventstore.backends.memory import InMemoryEventStore

# Django's, and ours beside them.
DATABASES = list(settings.DATABASES)

_numbers = itertools.count(1)
_run = secrets.token_hex(3)


def fresh_namespace() -> str:
    """Return a namespace that nobody has used."""
    return f"properties-{_run}-{next(_numbers)}"


def open_stores(nats_url: str | None) -> dict[str, EventStore]:
    """Return a store of each kind by name."""
    stores: dict[str, EventStore] = {"memory": InMemoryEventStore(location="properties")}
    stores.update({alias: event_stores[alias] for alias in DATABASES})
    if nats_url is not None:
        from django_eventstore.backends.jetstream import JetStreamEventStore

        stores["jetstream"] = JetStreamEventStore(servers=[nats_url], max_age=None)
    return stores


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
