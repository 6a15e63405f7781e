"""A password in the settings is shown nowhere: not by repr, errors, logs, checks, or the admin."""

from __future__ import annotations

import logging
import traceback

import pytest
from django.contrib.auth import get_user_model
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client, override_settings
from django.views.debug import SafeExceptionReporterFilter

from django_eventstore import Event, EventStoreError, event_stores
from django_eventstore.conf import event_store_url
from tests.servers.scratch import free_port

SECRET = "hunter2-and-more"
JETSTREAM = "django_eventstore.backends.jetstream.JetStreamEventStore"


def jetstream(**options):
    return {"BACKEND": JETSTREAM, "OPTIONS": {"timeout": 0.5, "connect_timeout": 0.3, **options}}


def address():
    return f"nats://127.0.0.1:{free_port()}"


WAYS = {
    "as options": lambda: jetstream(servers=[address()], user="app", password=SECRET),
    "as a token": lambda: jetstream(servers=[address()], token=SECRET),
    "in the server's address": lambda: jetstream(
        servers=[address().replace("//", f"//app:{SECRET}@")]
    ),
    "in an address": lambda: event_store_url(
        address().replace("//", f"//app:{SECRET}@")
        + "/events?namespace=prod&timeout=1&connect_timeout=1"
    ),
}


@pytest.fixture(params=WAYS)
def configured(request):
    """Stores of which the default one has a password, and no server."""
    stores = {"default": WAYS[request.param]()}
    with override_settings(EVENT_STORES=stores):
        yield stores


def everything_about(error):
    """Return all that a log or an error page would show of an exception and its causes."""
    shown = ["".join(traceback.format_exception(error))]
    while error is not None:
        shown.append(f"{error!r} {error}")
        if isinstance(error, EventStoreError):
            shown.append(str(vars(error)))
        error = error.__cause__ or error.__context__
    return "\n".join(shown)


def test_repr_and_descriptions(configured):
    store = event_stores["default"]

    for shown in (repr(store), str(store), repr(store.options), str(store.options)):
        assert SECRET not in shown
    assert SECRET not in str(store.describe())


def test_errors_and_logs_when_the_server_cannot_be_reached(configured, caplog):
    with caplog.at_level(logging.DEBUG), pytest.raises(EventStoreError) as caught:
        event_stores["default"].save_event(Event("order-1", "placed"))

    assert SECRET not in everything_about(caught.value)
    assert SECRET not in caplog.text
    assert all(SECRET not in str(vars(record)) for record in caplog.records)


def test_commands(configured, capsys):
    with pytest.raises(CommandError) as caught:
        call_command("replay_events", "order-1")

    assert SECRET not in everything_about(caught.value)
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err


def test_system_checks(configured):
    messages = run_checks(tags=["event_stores"], include_deployment_checks=True)

    assert messages
    assert all(SECRET not in f"{message} {message.hint}" for message in messages)


@pytest.mark.parametrize(
    "wrong",
    [
        {"replicsa": 3},
        {"replicas": "three"},
        {"password": [SECRET]},
        {"servers": [f"http://app:{SECRET}@localhost"]},
        {"servers": [f"nats://app:{SECRET}@localhost:no-port"]},
        {"servers": f"nats://app:{SECRET}@"},
    ],
)
def test_wrong_settings(wrong):
    options = {"user": "app", "password": SECRET, **wrong}
    with override_settings(EVENT_STORES={"default": jetstream(**options)}):
        messages = run_checks(tags=["event_stores"])
        shown = [str(messages)]
        try:
            shown.append(repr(event_stores["default"].options))
        except ImproperlyConfigured as error:
            shown.append(everything_about(error))

    assert SECRET not in str(shown)


@pytest.mark.parametrize(
    "text",
    [
        f"nats:/app:{SECRET}@localhost",
        f"ftp://app:{SECRET}@localhost",
        f"app:{SECRET}@localhost",
        f"nats://app:{SECRET}@[localhost",
        f"nats://app:{SECRET}@localhost:4222/events?replicas=x&unknown=1",
    ],
)
def test_wrong_addresses(text):
    try:
        entry = event_store_url(text)
        with override_settings(EVENT_STORES={"default": entry}):
            messages = run_checks(tags=["event_stores"])
    except ImproperlyConfigured as error:
        messages = [everything_about(error)]

    assert messages
    assert SECRET not in str(messages)


@pytest.mark.parametrize("put", [lambda text: text, lambda text: {"BACKEND": text}])
def test_an_address_in_the_wrong_place(put):
    stores = {"default": put(f"nats://app:{SECRET}@localhost:4222/events")}
    with override_settings(EVENT_STORES=stores):
        with pytest.raises(ImproperlyConfigured) as caught:
            event_stores["default"]
        (message,) = run_checks(tags=["event_stores"])

    assert SECRET not in everything_about(caught.value)
    assert SECRET not in str(message)


def test_djangos_error_page_hides_an_addresss_password():
    entry = event_store_url(f"nats://app:{SECRET}@localhost:4222/events")

    cleansed = SafeExceptionReporterFilter().cleanse_setting("EVENT_STORES", {"default": entry})

    assert SECRET not in str(cleansed)


@pytest.mark.django_db
def test_the_admin(configured, client: Client):
    boss = get_user_model().objects.create_superuser("boss", password="boss")
    client.force_login(boss)

    for path in ("", "default/-/"):
        answer = client.get(f"/admin/django_eventstore/eventstore/{path}")
        assert SECRET not in answer.content.decode()


@pytest.mark.needs("postgres")
def test_a_database_that_refuses(monkeypatch, caplog, django_db_blocker):
    changed = {
        **connections["postgres"].settings_dict,
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "PASSWORD": SECRET,
    }
    monkeypatch.setattr(connections["postgres"], "settings_dict", changed)
    store = event_stores["postgres"]

    with django_db_blocker.unblock(), caplog.at_level(logging.DEBUG):
        connections["postgres"].close()  # what an earlier test left open would still answer
        with pytest.raises(EventStoreError) as caught:
            store.count_events()

    assert SECRET not in everything_about(caught.value)
    assert SECRET not in caplog.text
    assert SECRET not in f"{store!r} {store.describe()}"
