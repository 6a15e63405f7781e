"""check_version_cache."""

from __future__ import annotations

import io
import json
import os
import uuid

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from django_eventstore import Event, event_stores
from tests.support.children import run_in_processes
from tests.support.jetstream import foreign, next_subject, open_store, publish

BACKEND = "django_eventstore.backends.jetstream.JetStreamEventStore"


@pytest.fixture
def namespace():
    return f"versions-{uuid.uuid4().hex[:8]}"


def settings(url, namespace, **options):
    return {
        "default": {
            "BACKEND": BACKEND,
            "NAMESPACE": namespace,
            "OPTIONS": {"servers": [url], "max_age": None, **options},
        }
    }


def check(*arguments):
    """Run the command; return what it printed, and its exit status."""
    out = io.StringIO()
    try:
        call_command("check_version_cache", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue() + str(error), error.returncode
    return out.getvalue(), 0


def test_the_command_finds_stale_entries_that_other_processes_wrote(nats_server, namespace):
    stores = settings(nats_server.url, namespace, version_cache="shared")
    with override_settings(EVENT_STORES=stores):
        (writer,) = run_in_processes(save_elsewhere, [(nats_server.url, namespace)])
        store = event_stores["default"]
        assert check() == ("checked: 2  stale: 0\n", 0)
        # The child's entry is used here: no question to the server.
        store.save_event(Event("order-2", "paid"))
        assert store.version_cache.counters.hits == 1
        publish(nats_server.url, next_subject(store, "order-1"), foreign(2))
        printed, status = check("--format", "json")
        found = json.loads(printed.splitlines()[0])
        assert status == 1
        assert (found["checked"], found["shared"]) == (2, True)
        (stale,) = found["stale"]
        assert (stale["actor_id"], stale["cached"], stale["actual"]) == ("order-1", 1, 2)
        assert stale["writer"].endswith(f":{writer}")
        assert check("--actor", "order-2")[1] == 0
        assert check("--actor", "order-1", "--fix")[1] == 1
        assert check() == ("checked: 1  stale: 0\n", 0)
        assert store.save_event(Event("order-1", "paid")).version == 3


def save_elsewhere(url, namespace):
    store = open_store(url, namespace, version_cache="shared")
    store.save_event(Event("order-1", "placed"))
    store.save_event(Event("order-2", "placed"))
    return os.getpid()


def test_the_command_says_what_it_cannot_see(nats_server, namespace):
    with override_settings(EVENT_STORES=settings(nats_server.url, namespace)):
        printed, status = check()
        assert status == 0
        assert "local to each process" in printed
        event_stores["default"].save_event(Event("order-1", "placed"))
        printed, status = check()
        assert "checked: 1  stale: 0" in printed
