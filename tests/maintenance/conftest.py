"""Stores to be copied, compared and looked over."""

from __future__ import annotations

import pytest
from permits.generator import generate

from django_eventstore import event_stores
from tests.support.commands import run


@pytest.fixture
def store():
    """A store of thirty applications in the default database."""
    store = event_stores["default"]
    store.save_events(generate(30))
    return store


@pytest.fixture
def copied(store):
    """The same events in another namespace, copied by the command."""
    ended = run("copy_events", "default", "default", to_namespace="copy")
    assert ended.status == 0, ended
    return store.with_namespace("copy")
