"""System checks of the database store."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from tests.support.database import store_on


def ids(store):
    return [message.id for message in store.check()]


def test_the_advised_settings_are_clean():
    assert ids(store_on("default")) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["eventstore.W001", "eventstore.W002"]),
        ({"transaction_mode": "EXCLUSIVE", "init_command": "PRAGMA journal_mode = wal;"}, []),
        (
            {
                "transaction_mode": "DEFERRED",
                "init_command": "PRAGMA journal_mode=WAL;",
                "timeout": 0.5,
            },
            ["eventstore.W001", "eventstore.W003"],
        ),
    ],
)
def test_sqlite_settings_that_cost_dearly_are_pointed_out(monkeypatch, options, expected):
    monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", options)
    store = store_on("default")
    assert ids(store) == expected
    assert all(message.hint for message in store.check())


def test_an_unknown_database_is_refused():
    with pytest.raises(ImproperlyConfigured, match="'elsewhere'"):
        store_on("elsewhere")
