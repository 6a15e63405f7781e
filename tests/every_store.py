"""The fixture ``every_store``: a store of each kind, in a namespace that is empty."""

from __future__ import annotations

from uuid import uuid4

import pytest

from django_eventstore import event_stores
from django_eventstore.backends.memory import InMemoryEventStore
from tests.jetstream.stores import open_store


def _database(alias):
    return pytest.param(alias, marks=pytest.mark.django_db(databases=[alias], transaction=True))


@pytest.fixture(
    params=["memory", _database("default"), _database("postgres"), _database("mariadb"), "nats"]
)
def every_store(request):
    namespace = f"every-{uuid4().hex[:16]}"
    if request.param == "memory":
        return InMemoryEventStore(namespace=namespace)
    if request.param == "nats":
        return open_store(request.getfixturevalue("nats_server").url, namespace)
    return event_stores[request.param].with_namespace(namespace)
