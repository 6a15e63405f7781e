"""EVENT_STORES, the handler and its proxy, addresses, and the system check."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.utils.connection import ConnectionDoesNotExist

from django_eventstore import Event, event_store, event_stores
from django_eventstore.backends.memory import InMemoryEventStore
from django_eventstore.checks import check_event_stores
from django_eventstore.conf import event_store_url

MEMORY = {"BACKEND": "django_eventstore.backends.memory.InMemoryEventStore"}
current_namespace = "tenant-1"
not_callable = 5


def namespace():
    return current_namespace


@pytest.fixture(autouse=True)
def two_stores():
    with override_settings(EVENT_STORES={"default": MEMORY, "other": MEMORY}):
        yield


def test_stores_by_alias():
    store = event_stores["other"]
    assert isinstance(store, InMemoryEventStore)
    assert store.alias == "other"
    assert store is event_stores["other"]
    assert list(event_stores) == ["default", "other"]
    with pytest.raises(ConnectionDoesNotExist):
        event_stores["unknown"]


def test_stores_of_two_aliases_are_apart():
    event_stores["default"].save_event(Event("order-1", "placed"))
    assert event_stores["other"].count_events() == 0


def test_the_proxy_is_the_default_store():
    event_store.save_event(Event("order-1", "placed"))
    assert event_stores["default"].count_events() == 1
    assert event_store.alias == "default"


def test_each_thread_has_a_store_object_and_all_have_the_events():
    event_store.save_event(Event("order-1", "placed"))

    def look(_):
        barrier.wait()
        return id(event_stores["default"]), event_store.count_events(), event_stores["default"]

    barrier = threading.Barrier(3)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(look, range(3)))
    assert len({ident for ident, _, _ in found} | {id(event_stores["default"])}) == 4
    assert [count for _, count, _ in found] == [1, 1, 1]


def test_override_settings_takes_effect_at_once():
    event_store.save_event(Event("order-1", "placed"))
    with override_settings(EVENT_STORES={"default": {**MEMORY, "NAMESPACE": "prod"}}):
        assert event_store.namespace == "prod"
        assert event_store.count_events() == 0
        with pytest.raises(ConnectionDoesNotExist):
            event_stores["other"]
    assert event_stores["other"].namespace == ""


def test_without_the_setting_there_is_one_store_in_the_default_database(settings):
    del settings.EVENT_STORES
    assert list(event_stores) == ["default"]
    assert event_store.database == "default"


def configure(**stores):
    return override_settings(EVENT_STORES=stores)


def test_a_namespace_may_be_a_callable_or_its_path(monkeypatch):
    for configured in (namespace, "tests.test_conf.namespace"):
        with configure(default={**MEMORY, "NAMESPACE": configured}):
            monkeypatch.undo()
            assert event_store.namespace == "tenant-1"
            event_store.save_event(Event("order-1", "placed"))
            monkeypatch.setattr("tests.test_conf.current_namespace", "tenant-2")
            assert event_store.namespace == "tenant-2"
            assert event_store.count_events() == 0


@pytest.mark.parametrize("name", ["prod", "eu.orders", "v1.2", "注文"])
def test_a_namespace_may_be_text(name):
    with configure(default={**MEMORY, "NAMESPACE": name}):
        assert event_store.namespace == name


@pytest.mark.parametrize(
    ("stores", "told"),
    [
        (["x"], "must be a dict of aliases"),
        ({"other": MEMORY}, 'must have a store named "default"'),
        ({"default": ["x"]}, r"EVENT_STORES\['default'\] must be a dict or an address, got list"),
        ({"default": MEMORY, "other": "redis://x"}, r"EVENT_STORES\['other'\]: Unknown scheme"),
        ({"default": "nats://a:b@host/events"}, r"must go through .*event_store_url\(\)"),
        ({"default": "nats://token@host/events"}, r"must go through .*event_store_url\(\)"),
        ({"default": "memory://?locatoin=a"}, "unknown option 'locatoin'; did you mean"),
        ({"default": {"BACKEND": "memory://"}}, "an address takes the place of the whole entry"),
        ({"default": {}}, r"EVENT_STORES\['default'\] needs a BACKEND"),
        ({"default": {"BACKEND": "no.such.Store"}}, "cannot import the BACKEND 'no.such.Store'"),
        ({"default": {"BACKEND": "django_eventstore.Nothing"}}, "cannot import the BACKEND"),
        ({"default": {"BACKEND": 5}}, "cannot import the BACKEND 5"),
        ({"default": {"BACKEND": "django_eventstore.Event"}}, "is no EventStore class"),
        ({"default": {**MEMORY, "LOCATION": "x"}}, "unknown key 'LOCATION'"),
        ({"default": {**MEMORY, "OPTIONS": []}}, None),
        ({"default": {**MEMORY, "OPTIONS": ["x"]}}, "OPTIONS must be a dict"),
        ({"default": {**MEMORY, "OPTIONS": {"locations": "x"}}}, "did you mean 'location'"),
        ({"default": {**MEMORY, "OPTIONS": {"max_event_size": "1"}}}, "max_event_size must be int"),
        ({"default": {**MEMORY, "OPTIONS": {"snapshots_kept": -1}}}, "must not be negative"),
        ({"default": {**MEMORY, "NAMESPACE": 5}}, "NAMESPACE must be text or a dotted path"),
        ({"default": {**MEMORY, "NAMESPACE": "a\n"}}, "namespace: holds the control character"),
        ({"default": {**MEMORY, "NAMESPACE": "tests.no_such"}}, "cannot import the NAMESPACE"),
        ({"default": {**MEMORY, "NAMESPACE": "tests.test_conf.not_callable"}}, "is not callable"),
    ],
)
def test_what_is_wrong_with_the_setting(stores, told):
    if told is None:
        with override_settings(EVENT_STORES=stores):
            assert event_store.count_events() == 0
        return
    with override_settings(EVENT_STORES=stores):
        with pytest.raises(ImproperlyConfigured, match=told):
            event_stores["default"]
        (message,) = run_checks(tags=["event_stores"])
    assert message.id == "eventstore.E001"
    assert message.hint


def test_good_settings_pass_the_check():
    assert check_event_stores(None) == []


# -- addresses


@pytest.mark.parametrize(
    ("url", "backend", "namespace", "options"),
    [
        ("db://default", "database.DatabaseEventStore", "", {"database": "default"}),
        ("db://", "database.DatabaseEventStore", "", {"database": "default"}),
        (
            "db://events?namespace=prod&snapshots_kept=3",
            "database.DatabaseEventStore",
            "prod",
            {"database": "events", "snapshots_kept": 3},
        ),
        ("memory://", "memory.InMemoryEventStore", "", {"location": ""}),
        ("memory://a?namespace=5", "memory.InMemoryEventStore", "5", {"location": "a"}),
        (
            "nats://user:p%40ss%23%2F@host:4222/events?namespace=prod&replicas=3",
            "jetstream.JetStreamEventStore",
            "prod",
            {
                "servers": ["nats://host:4222"],
                "stream_name": "events",
                "user": "user",
                "password": "p@ss#/",
                "replicas": 3,
            },
        ),
        (
            "tls://token@a:1,b:2,[::1]:3?max_age=365d&timeout=90s&allow_direct=false&compression=s2",
            "jetstream.JetStreamEventStore",
            "",
            {
                "servers": ["tls://a:1", "tls://b:2", "tls://[::1]:3"],
                "token": "token",
                "max_age": timedelta(days=365),
                "timeout": timedelta(seconds=90),
                "allow_direct": False,
                "compression": "s2",
            },
        ),
        ("nats:///events", "jetstream.JetStreamEventStore", "", {"stream_name": "events"}),
    ],
)
def test_an_address(url, backend, namespace, options):
    assert event_store_url(url) == {
        "BACKEND": f"django_eventstore.backends.{backend}",
        "NAMESPACE": namespace,
        "OPTIONS": options,
    }


@pytest.mark.parametrize(
    "url",
    [
        "",
        None,
        "default",
        "redis://user:secret@host",
        "nats://user:secret@[::1/events",
        "nats://user:sec#ret@host/events",
        "nats://user:secret@host:1,user:secret@host:2/events",
        "db://user:secret@default",
        "db://default/table",
        "memory://a/b",
    ],
)
def test_what_is_no_address(url):
    with pytest.raises(ImproperlyConfigured) as caught:
        event_store_url(url)
    assert "sec" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_address_makes_a_store():
    address = "memory://?namespace=prod&snapshots_kept=2"
    for configured in (event_store_url(address), address):
        with configure(default=configured):
            assert event_store.namespace == "prod"
            assert event_store.options.snapshots_kept == 2
            assert check_event_stores(None) == []
