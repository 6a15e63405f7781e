"""Pytest fixtures; import those you want in your ``conftest.py``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from ..conf import EventStoreHandler, event_stores
from ..events import Event
from ..signals import event_saved


@pytest.fixture
def in_memory_event_stores() -> Iterator[EventStoreHandler]:
    """Keep every store of EVENT_STORES in memory during the test, empty at its start.

    Namespaces stay as they are set. For tests that need no database, no server and no clean-up.
    """
    stores = {
        alias: {
            "BACKEND": "django_eventstore.backends.memory.InMemoryEventStore",
            "NAMESPACE": configured.get("NAMESPACE", ""),
        }
        for alias, configured in event_stores.settings.items()
    }
    with override_settings(EVENT_STORES=stores):
        yield event_stores


@pytest.fixture
def saved_events() -> Iterator[list[Event]]:
    """Collect the events that are saved during the test, in any store, in order."""
    saved: list[Event] = []

    def receive(event: Event, **kwargs: Any) -> None:
        saved.append(event)

    event_saved.connect(receive)
    yield saved
    event_saved.disconnect(receive)
