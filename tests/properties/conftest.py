"""The stores that the properties are about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from django_eventstore import EventStore
from tests.servers import NatsServer
from tests.support.every_store import open_stores


@pytest.fixture
def stores(transactional_db: None, nats_server: NatsServer) -> Iterator[dict[str, EventStore]]:
    """A store of each kind, by name; the test names its databases with `django_db`."""
    opened = open_stores(nats_server)
    yield opened
    for store in opened.values():
        store.close()
