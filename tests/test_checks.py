"""System checks: each id, when it is given, and what it never does."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.db import connections
from django.test import override_settings

DATABASE = "django_eventstore.backends.database.DatabaseEventStore"
JETSTREAM = "django_eventstore.backends.jetstream.JetStreamEventStore"
MEMORY = "django_eventstore.backends.memory.InMemoryEventStore"


def ids(backend, *, deploy, **options):
    stores = {"default": {"BACKEND": backend, "OPTIONS": options}}
    with override_settings(EVENT_STORES=stores):
        messages = run_checks(tags=["event_stores"], include_deployment_checks=deploy)
    assert all(message.hint for message in messages)
    return [message.id for message in messages]


@pytest.fixture
def database_options(monkeypatch):
    """Set the `OPTIONS` of a database for the test."""

    def set_options(alias, **options):
        monkeypatch.setitem(connections[alias].settings_dict, "OPTIONS", options)

    return set_options


SAFE = {"transaction_mode": "IMMEDIATE", "timeout": 20}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("PRAGMA journal_mode=WAL", []),
        ("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", []),
        ("PRAGMA journal_mode=WAL; PRAGMA synchronous=EXTRA", []),
        ("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL", ["eventstore.W004"]),
        ("PRAGMA journal_mode=WAL; pragma synchronous = off", ["eventstore.W004"]),
        ("PRAGMA journal_mode=WAL; PRAGMA synchronous(0)", ["eventstore.W004"]),
    ],
)
def test_sqlite_that_does_not_force_commits_to_disk(database_options, command, expected):
    database_options("default", **SAFE, init_command=command)

    assert ids(DATABASE, deploy=True) == expected
    assert ids(DATABASE, deploy=False) == []


def test_sqlite_in_memory(monkeypatch, database_options):
    database_options("default", **SAFE, init_command="PRAGMA journal_mode=WAL")
    monkeypatch.setattr(connections["default"], "is_in_memory_db", lambda: True)

    assert ids(DATABASE, deploy=True) == ["eventstore.W005"]


def test_sqlite_without_the_settings_for_several_writers(database_options):
    database_options("default", timeout=1)

    expected = ["eventstore.W001", "eventstore.W002", "eventstore.W003"]
    assert ids(DATABASE, deploy=False) == expected


@pytest.mark.needs("postgres")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, []),
        ({"options": "-c synchronous_commit=on"}, []),
        ({"options": "-c synchronous_commit=off"}, ["eventstore.W004"]),
    ],
)
def test_postgresql_that_does_not_wait_for_the_disk(database_options, options, expected):
    database_options("postgres", **options)

    assert ids(DATABASE, deploy=True, database="postgres") == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"replicas": 3}, []),
        ({"replicas": 1}, ["eventstore.W102"]),
        ({}, ["eventstore.W102"]),
        ({"replicas": 3, "storage": "memory"}, ["eventstore.W103"]),
    ],
)
def test_jetstream_that_may_lose_events(options, expected):
    assert ids(JETSTREAM, deploy=True, max_age=None, **options) == expected
    assert ids(JETSTREAM, deploy=False, max_age=None, **options) == []


def test_jetstream_that_lets_events_age_out():
    assert ids(JETSTREAM, deploy=False) == ["eventstore.W101"]


def test_jetstream_with_a_cache_that_is_not_there():
    assert ids(JETSTREAM, deploy=False, max_age=None, version_cache="no such") == [
        "eventstore.E101"
    ]


def test_memory_in_production():
    assert ids(MEMORY, deploy=True) == ["eventstore.W201"]
    assert ids(MEMORY, deploy=False) == []


@pytest.mark.parametrize(
    "stores",
    [
        {"other": {"BACKEND": MEMORY}},
        {"default": {"BACKEND": "no.such.Store"}},
        {"default": {"BACKEND": MEMORY, "OPTIONS": {"locatoin": "x"}}},
    ],
)
def test_wrong_settings_are_told_once_and_do_not_raise(stores):
    with override_settings(EVENT_STORES=stores):
        messages = run_checks(tags=["event_stores"], include_deployment_checks=True)

    assert [message.id for message in messages] == ["eventstore.E001"]
