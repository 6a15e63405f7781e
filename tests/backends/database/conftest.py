"""Fixtures for the tests of the database store."""

from __future__ import annotations

from uuid import uuid4

import pytest

from django_eventstore.backends.database import fence
from tests.support import database as aliases


@pytest.fixture
def impatient(monkeypatch):
    """Do not wait long for a transaction that a test keeps open."""
    monkeypatch.setattr(fence, "PATIENCE", 0.05)


@pytest.fixture
def own_namespace(monkeypatch):
    """Give ``store_on()`` a namespace that no test before has used.

    Where a key was deleted a moment ago, and the server has not tidied up after that yet, MariaDB
    lets the next insert of that key wait for the one of its neighbour: a transaction that the test
    keeps open.
    """
    monkeypatch.setattr(aliases, "namespace", uuid4().hex)
