"""Forwarding to a stream that drops events by age, after a long time with nothing to send."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from django.test import override_settings

from django_eventstore import Event, EventStoreError, event_stores
from django_eventstore.maintenance.forwarding import Forwarder
from tests.conftest import require
from tests.servers import NatsServer
from tests.servers.process import wait_until
from tests.support.jetstream import talk

pytestmark = pytest.mark.django_db(transaction=True)

NOT_HELD = r"does not hold event .*not certain.*--from-start"


@pytest.fixture
def server():
    """A server of the test's own, to be set back."""
    with NatsServer(require("nats-server")) as server:
        yield server


@pytest.fixture
def configure(request):
    """Give the alias `target` a meaning; events stay for ever, until `age()`."""

    def configure(url, **options):
        options |= {"servers": [url], "max_age": None, "duplicate_window": timedelta(seconds=1)}
        backend = "django_eventstore.backends.jetstream.JetStreamEventStore"
        stores = {
            "default": {"BACKEND": "django_eventstore.backends.database.DatabaseEventStore"},
            "target": {"BACKEND": backend, "NAMESPACE": request.node.name, "OPTIONS": options},
        }
        override = override_settings(EVENT_STORES=stores)
        override.enable()
        request.addfinalizer(override.disable)
        return event_stores["default"], event_stores["target"]

    return configure


def save(source, *actors):
    return [source.save_event(Event(actor, "Sent")) for actor in actors]


def forward(source, target, **options):
    return Forwarder(source, target, lease=timedelta(seconds=1), **options).run()


def age(target, seconds=1):
    """Let the target's stream keep events for some seconds only."""

    async def update(connection):
        info = await connection.jetstream().stream_info(target.stream_name)
        await connection.jetstream().update_stream(info.config, max_age=seconds)

    talk(target.options.servers[0], update)


def wait_until_empty(target):
    wait_until(lambda: target.count_events() == 0, "all has aged out")


def purge(target):
    async def remove(connection):
        await connection.jetstream().purge_stream(target.stream_name)

    talk(target.options.servers[0], remove)


def delete(target):
    async def remove(connection):
        await connection.jetstream().delete_stream(target.stream_name)

    talk(target.options.servers[0], remove)


def ids(events):
    return [event.id for event in events]


class OnceIdle:
    """Stops a forwarder when it has sent something; calls `then` when it first had nothing to."""

    def __init__(self, then):
        self.then = then
        self.looks = 0
        self.sent = []

    def is_set(self):
        self.looks += 1
        if self.looks == 2:  # the first one is before it begins
            self.then()
        return bool(self.sent)


def test_it_goes_on_where_the_target_dropped_what_was_sent(nats_server, configure):
    source, target = configure(nats_server.url)
    save(source, "a", "b", "a")
    assert forward(source, target) == 3
    age(target)
    wait_until_empty(target)
    assert forward(source, target) == 0
    later = []

    def go_on():
        age(target, 3600)  # so that it can be looked at
        later.extend(save(source, "a", "c"))

    stop = OnceIdle(go_on)
    assert forward(source, target, follow=True, stop=stop, on_progress=stop.sent.append) == 2
    assert ids(target.read_all()) == ids(later)
    assert [event.version for event in target.get_events("a")] == [3]
    # And with the receipt of these.
    age(target)
    wait_until_empty(target)
    assert forward(source, target) == 0


def test_an_old_server_does_not_tell_enough(nats_server_oldest, configure):
    source, target = configure(nats_server_oldest.url)
    save(source, "a")
    forward(source, target)
    age(target)
    wait_until_empty(target)
    with pytest.raises(EventStoreError, match=NOT_HELD):
        forward(source, target)


def test_a_target_that_was_emptied_before_its_time_stops_it(nats_server, configure):
    source, target = configure(nats_server.url)
    sent = save(source, "a", "b")
    forward(source, target)
    for max_age in (0, 3600):  # 0: for ever
        age(target, max_age)
        purge(target)
        with pytest.raises(EventStoreError, match=rf"{NOT_HELD}") as caught:
            forward(source, target)
        assert f"stream {target.stream_name}, created 20" in str(caught.value)
    assert forward(source, target, from_start=True) == 2
    assert ids(target.read_all()) == ids(sent)


def test_a_stream_that_was_made_anew_stops_it(nats_server, configure):
    source, target = configure(nats_server.url)
    save(source, "a", "b")
    forward(source, target)
    delete(target)
    for actor in ("x", "y", "z"):  # of somebody else: it is as far as the former one was
        target.save_event(Event(actor, "Foreign"))
    age(target)
    wait_until_empty(target)
    with pytest.raises(EventStoreError, match=NOT_HELD):
        forward(source, target)


def test_another_stream_stops_it(nats_server, configure):
    source, target = configure(nats_server.url)
    save(source, "a", "b")
    forward(source, target)
    _, other = configure(nats_server.url, stream_name="other")
    for actor in ("x", "y", "z"):
        other.save_event(Event(actor, "Foreign"))
    age(other)
    wait_until_empty(other)
    with pytest.raises(EventStoreError, match=NOT_HELD):
        forward(source, other)


def test_a_target_that_was_set_back_stops_it(server, configure):
    source, target = configure(server.url)
    save(source, "a")
    forward(source, target)
    age(target, 3600)
    server.stop()
    data, copy = server.directory / "data", server.directory / "copy"
    shutil.copytree(data, copy)
    server.start()
    save(source, "b")
    forward(source, target)
    server.stop()
    shutil.rmtree(data)
    copy.rename(data)
    server.start()
    age(target)
    wait_until_empty(target)
    with pytest.raises(EventStoreError, match=NOT_HELD):
        forward(source, target)
