"""One connection for all, and what it tells of a server."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from urllib.parse import urlparse

import pytest
from nats.errors import Error as NatsError

from django_eventstore import Event, StoreUnavailableError
from django_eventstore.backends.jetstream.client.wire import Wire
from tests.servers import NatsServer
from tests.support.jetstream import open_store

pytestmark = pytest.mark.needs("nats-server")


def test_what_a_server_said_is_read_though_it_reset_the_connection():
    async def talk():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            wire = Wire(b"inbox.", lambda *_: None)
            await wire.connect(urlparse(f"nats://127.0.0.1:{listener.getsockname()[1]}"), 1024, 5)
            server, _ = listener.accept()
            server.sendall(b"+OK\r\n-ERR 'Authorization Violation'\r\n")
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            server.close()
            wire.write(b"PING\r\n")
            await wire.drain()
            assert await wire.readline() == b"+OK\r\n"
            with pytest.raises(NatsError, match="Authorization Violation"):
                await wire.readline()
            with pytest.raises(ConnectionError):
                await wire.readline()
            wire.close()

    asyncio.run(talk())


def test_a_server_that_takes_no_more_connections_says_so():
    with NatsServer(config="max_connections: 1") as server:
        open_store(server.url).save_event(Event("order-1", "placed"))
        with pytest.raises(StoreUnavailableError, match="maximum connections exceeded"):
            open_store(server.url, timeout=1.0, connect_timeout=2.5).count_events()


def test_a_server_without_jetstream_is_an_error_in_time():
    with (
        NatsServer(jetstream=False) as server,
        pytest.raises(StoreUnavailableError, match="Is JetStream enabled"),
    ):
        open_store(server.url, timeout=0.5).save_event(Event("order-1", "placed"))


def test_threads_tasks_and_store_objects_share_one_connection(nats_server):
    before = nats_server.monitor("connz")["num_connections"]
    store = open_store(nats_server.url, "one-connection", connect_timeout=2.5)

    def work(number):
        own = open_store(nats_server.url, f"one-connection-{number}", connect_timeout=2.5)
        own.save_event(Event("order-1", "placed"))
        asyncio.run(own.asave_event(Event("order-1", "paid")))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.save_event(Event("order-1", "placed"))
    assert nats_server.monitor("connz")["num_connections"] == before + 1


def test_a_cancelled_task_leaves_everything_usable(nats_server):
    store = open_store(nats_server.url, "cancelled")

    async def use():
        for _ in range(20):
            task = asyncio.create_task(store.asave_event(Event("order-1", "placed")))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        saved = await store.asave_event(Event("order-1", "paid"))
        events = await store.aget_events("order-1")
        assert events[-1] == saved
        assert [event.version for event in events] == list(range(1, saved.version + 1))

    asyncio.run(use())
