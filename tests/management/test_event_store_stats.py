"""event_store_stats."""

from __future__ import annotations

import json

import pytest

from tests.support.commands import run
from tests.support.database import tamper

pytestmark = pytest.mark.django_db


@pytest.fixture
def store(accounts):
    return accounts


def test_how_much_there_is(store):
    shown = json.loads(run("event_store_stats", format="json").out)

    assert (shown["store"], shown["events"], shown["actors"]) == ("default", 14, 3)
    assert shown["first_event"] == {"position": 1, "timestamp": "2020-01-01T00:00:00.000000Z"}
    assert shown["last_event"]["position"] == 14
    assert shown["longest_histories"]["account-1"] == 10
    assert "event_types" not in shown

    text = run("event_store_stats").out
    assert "events       14\n" in text
    assert "    10  account-1\n" in text


def test_every_event_is_counted_by_type(store):
    tamper(14, data="[")

    shown = json.loads(run("event_store_stats", full=True, format="json").out)

    assert (shown["event_types"], shown["malformed"]) == ({"Moved": 13}, 1)


def test_an_empty_store():
    out = run("event_store_stats", namespace="empty", full=True).out

    assert "events       0\n" in out
    assert "first event  none\n" in out
