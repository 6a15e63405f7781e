"""Streams and namespaces: what is made on the server, compared with it, and kept apart."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import override_settings
from nats.js.errors import NotFoundError

from django_eventstore import (
    Event,
    InvalidEventError,
    NamespaceCollisionError,
    Snapshot,
    StoreUnavailableError,
    UnsupportedOperation,
)
from django_eventstore.backends.jetstream import JetStreamConfig
from tests.conftest import require
from tests.servers import NatsServer
from tests.support.jetstream import open_store, talk

BACKEND = "django_eventstore.backends.jetstream.JetStreamEventStore"


def config_of(url, stream):
    """Return a stream's configuration, as plain nats-py sees it."""

    async def ask(connection):
        return (await connection.jetstream().stream_info(stream)).config

    return talk(url, ask)


def exists(url, stream):
    """Return whether there is such a stream."""
    try:
        config_of(url, stream)
    except NotFoundError:
        return False
    return True


def test_the_defaults_are_a_year_and_one_replica():
    config = JetStreamConfig()
    assert config.max_age == timedelta(days=365)
    assert config.replicas == 1
    assert JetStreamConfig(max_age=timedelta(0), replicas=0) == config
    assert JetStreamConfig(max_age=None).max_age is None


def test_a_stream_is_made_on_first_use_as_the_options_say(any_nats_server):
    store = open_store(any_nats_server.url, "made", max_age=timedelta(days=30), deny_delete=True)
    store.save_event(Event("order-1", "placed"))
    assert store.stream_name == "made_events"
    config = config_of(any_nats_server.url, "made_events")
    assert config.max_age == 30 * 24 * 3600
    assert config.num_replicas == 1
    assert config.deny_delete
    assert not config.deny_purge
    assert config.allow_direct
    assert config.subjects == ["made_events.events.*.*"]


def test_reading_makes_no_stream(nats_server):
    store = open_store(nats_server.url, "never-written")
    assert store.get_events("order-1") == []
    assert store.get_latest_version("order-1") == 0
    assert store.get_latest_snapshot("order-1") is None
    assert list(store.read_all()) == []
    assert store.count_events() == 0
    assert list(store.get_actors()) == []
    assert store.get_event(1 << 20) is None
    assert not exists(nats_server.url, "never-written_events")
    assert not exists(nats_server.url, "never-written_events_snapshots")


@pytest.mark.parametrize(
    ("first", "second"), [("eu.orders", "eu orders"), ("a*b", "a>b"), ("caf\u00e9", "caf\u00e8")]
)
def test_namespaces_that_come_to_one_name_are_refused(any_nats_server, first, second):
    store = open_store(any_nats_server.url, first)
    store.save_event(Event("order-1", "placed"))
    store.save_snapshot(Snapshot("order-1", 1, {"secret": True}))
    other = store.with_namespace(second)
    assert other.stream_name == store.stream_name
    for use in (
        lambda: other.save_event(Event("order-1", "placed")),
        lambda: other.get_events("order-1"),
        lambda: other.get_latest_version("order-1"),
        lambda: other.get_latest_snapshot("order-1"),
        lambda: list(other.read_all()),
        other.setup,
    ):
        with pytest.raises(NamespaceCollisionError, match="rename one of them"):
            use()
    assert len(store.get_events("order-1")) == 1


def test_a_namespace_and_a_stream_name_that_meet_are_refused(nats_server):
    open_store(nats_server.url, "meet", stream_name="a_b").save_event(Event("order-1", "placed"))
    other = open_store(nats_server.url, "meet_a", stream_name="b")
    with pytest.raises(NamespaceCollisionError):
        other.save_event(Event("order-1", "placed"))


def test_a_namespace_of_nothing_but_separators_is_refused(nats_server):
    with pytest.raises(InvalidEventError, match="namespace"):
        open_store(nats_server.url, "...")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"servers": ["http://host"]}, "no address"),
        ({"servers": [7]}, "servers"),
        ({"stream_name": "a.b"}, "stream_name"),
        ({"storage": "tape"}, "storage"),
        ({"compression": "zip"}, "compression"),
        ({"max_age": timedelta(seconds=5)}, "max_age"),
        ({"max_age": timedelta(hours=1), "duplicate_window": timedelta(hours=2)}, "duplicate"),
        ({"replica": 3}, "replicas"),
        ({"replicas": 7}, "replicas must be at most 5"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ImproperlyConfigured, match=message):
        JetStreamConfig.from_mapping(options, where="here")


def test_secrets_are_shown_nowhere():
    config = JetStreamConfig(
        servers=["nats://me:hunter2@host:4222"], user="me", password="hunter2", token="t0ken"
    )
    shown = repr(config) + str(config.shown()) + str(config.safe_servers)
    assert "hunter2" not in shown
    assert "t0ken" not in shown
    with pytest.raises(ImproperlyConfigured) as caught:
        JetStreamConfig(servers=["http://me:hunter2@host"])
    assert "hunter2" not in str(caught.value)


def test_what_an_old_server_lacks_is_said(nats_server_oldest):
    store = open_store(nats_server_oldest.url, "compressed", compression="s2")
    with pytest.raises(UnsupportedOperation, match=r"2\.10"):
        store.save_event(Event("order-1", "placed"))
    store = open_store(nats_server_oldest.url, "batches")
    with pytest.raises(UnsupportedOperation, match=r"2\.12"):
        store.save_events([Event("order-1", "placed"), Event("order-2", "placed")])
    assert store.count_events() == 0


def test_replicas_need_a_cluster(any_nats_server):
    url = any_nats_server.url
    store = open_store(url, "replicated", replicas=3)
    for use in (
        lambda: store.save_event(Event("order-1", "placed")),
        lambda: store.save_snapshot(Snapshot("order-1", 1, {})),
        store.setup,
    ):
        with pytest.raises(UnsupportedOperation, match=r"not in a cluster\. Set replicas to 1"):
            use()
    assert not exists(url, "replicated_events")


@pytest.mark.parametrize("program", ["nats-server", "nats-server-2.9"])
def test_replicas_asked_for_in_vain_leave_the_stream_alone(program):
    """On 2.9 the mere question would keep the stream from being there after a restart."""
    with NatsServer(require(program)) as server:
        saved = open_store(server.url, "alone").save_event(Event("order-1", "placed"))
        store = open_store(server.url, "alone", replicas=3)
        with pytest.raises(UnsupportedOperation, match="not in a cluster"):
            store.setup(update=True)
        server.restart()
        assert store.get_events("order-1") == [saved]


def test_a_cluster_with_too_few_servers_is_named(nats_cluster):
    url = ",".join(nats_cluster.urls)
    for options, message in (
        ({"replicas": 5}, "with replicas=5 .*fewer replicas"),
        ({"placement_tags": ["ssd"]}, r"placement_tags=\['ssd'\].*another placement"),
    ):
        store = open_store(url, "too-few", timeout=20.0, **options)
        with pytest.raises(UnsupportedOperation, match=message):
            store.save_event(Event("order-1", "placed"))
    open_store(url, "too-few", timeout=20.0).setup()
    with pytest.raises(UnsupportedOperation, match="replicas=5"):
        open_store(url, "too-few", timeout=20.0, replicas=5).setup(update=True)
    assert open_store(url, "too-few", timeout=20.0, replicas=3).setup(update=True) == []
    assert config_of(url, "too-few_events").num_replicas == 3


def test_without_allow_atomic_several_actors_are_refused(nats_server):
    store = open_store(nats_server.url, "not-atomic", allow_atomic=False)
    store.setup()
    with pytest.raises(UnsupportedOperation, match="allow_atomic"):
        store.save_events([Event("order-1", "placed"), Event("order-2", "placed")])
    # Nor does a store that believes otherwise trust its options: it asks the stream.
    store = open_store(nats_server.url, "not-atomic")
    store.save_event(Event("order-1", "placed"))
    with pytest.raises(UnsupportedOperation, match="allow_atomic"):
        store.save_events([Event("order-1", "paid"), Event("order-2", "placed")])
    assert store.count_events() == 1


@pytest.mark.parametrize("direct", [True, False])
def test_reading_with_and_without_direct_gets(any_nats_server, direct):
    store = open_store(any_nats_server.url, f"direct-{direct}", allow_direct=direct)
    saved = [store.save_event(Event("order-1", "counted", {"n": n})) for n in range(130)]
    assert store.get_events("order-1") == saved
    assert store.get_events("order-1", 100, to_version=110) == saved[99:110]
    assert store.get_events("order-1", limit=70, reverse=True) == saved[:59:-1]
    assert list(store.read_all(after=saved[9].position)) == saved[10:]
    assert list(store.read_all(reverse=True, limit=5)) == saved[:-6:-1]
    assert store.get_latest_version("order-1") == 130


def setup(url, *arguments, **options):
    """Run the command against a store with `options`; return what it printed."""
    stores = {
        "default": {
            "BACKEND": BACKEND,
            "NAMESPACE": "set-up",
            "OPTIONS": {"servers": [url], "max_age": None, **options},
        }
    }
    out = io.StringIO()
    with override_settings(EVENT_STORES=stores):
        try:
            call_command("setup_event_stores", *arguments, stdout=out)
        except CommandError as error:
            out.write(str(error))
    return out.getvalue()


def test_setup_makes_reports_and_changes_nothing_unasked(nats_server):
    url = nats_server.url
    assert "does not exist" in setup(url, "--check")
    assert not exists(url, "set-up_events")
    assert "as the options say" in setup(url)
    assert exists(url, "set-up_events")
    assert exists(url, "set-up_events_snapshots")
    wanted = {"max_age": timedelta(days=30), "duplicate_window": timedelta(minutes=5)}
    for arguments in ([], ["--check"]):
        printed = setup(url, *arguments, **wanted)
        assert "set-up_events: max_age is unlimited, the options say 30 days, 0:00:00" in printed
        assert "duplicate_window is 0:02:00, the options say 0:05:00" in printed
        assert "--update" in printed
        assert config_of(url, "set-up_events").max_age in (0, None)
    assert "as the options say" in setup(url, "--update", **wanted)
    assert config_of(url, "set-up_events").max_age == 30 * 24 * 3600
    assert "as the options say" in setup(url, "--check", **wanted)


def test_a_stream_with_other_subjects_is_named(nats_server):
    async def make(connection):
        await connection.jetstream().add_stream(name="other_events", subjects=["elsewhere.>"])

    talk(nats_server.url, make)
    store = open_store(nats_server.url, "other")
    with pytest.raises(
        StoreUnavailableError, match=r"on elsewhere\.>, not on other_events\."
    ) as caught:
        store.save_event(Event("order-1", "placed"))
    assert not caught.value.outcome_unknown
    store.setup(update=True)
    assert store.save_event(Event("order-1", "placed")).version == 1


def test_a_stream_that_was_removed_is_made_again(nats_server):
    store = open_store(nats_server.url, "removed")
    store.save_event(Event("order-1", "placed"))

    async def remove(connection):
        await connection.jetstream().delete_stream("removed_events")

    talk(nats_server.url, remove)
    store.save_event(Event("order-2", "placed"))
    assert [event.actor_id for event in store.read_all()] == ["order-2"]
    assert store.get_latest_version("order-1") == 0
    assert store.save_event(Event("order-1", "placed")).version == 1
