"""The throw-away servers do what the tests that use them rely on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.servers import MariaDBServer, NatsCluster, NatsServer, PostgresServer, parts
from tests.servers.process import wait_until
from tests.servers.scratch import free_port


async def _publish(url: str, *, make_stream: bool = False, replicas: int = 1) -> int:
    """Publish one message, and return the stream's number of messages."""
    import nats

    client = await nats.connect(url, connect_timeout=2, max_reconnect_attempts=0)
    try:
        stream = client.jetstream()
        if make_stream:
            await stream.add_stream(name="S", subjects=["s.>"], num_replicas=replicas)
        await stream.publish("s.x", b"1")
        return (await stream.stream_info("S")).state.messages
    finally:
        await client.close()


def publish(server: NatsServer, **options) -> int:
    return asyncio.run(_publish(server.url, **options))


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(name, marks=pytest.mark.needs(name))
        for name in ("nats-server", "nats-server-2.9")
    ],
)
def test_nats_keeps_its_data_through_stop_and_kill(part):
    with NatsServer(parts.find(part)) as server:
        assert server.version[:2] == (2, 9) or server.version >= (2, 12)
        assert publish(server, make_stream=True) == 1
        server.restart()
        assert publish(server) == 2
        server.kill()
        assert not server.running
        assert not server.answers()
        server.start()
        assert publish(server) == 3
    assert not server.directory.exists()


@pytest.mark.needs("nats-server")
def test_nats_can_be_frozen():
    with NatsServer() as server:
        server.pause()
        assert not server.answers()
        server.resume()
        wait_until(server.answers, "the server answers again")


@pytest.mark.needs("nats-server")
def test_nats_takes_more_configuration():
    users = "authorization { users: [{ user: u, password: p }] }"
    with NatsServer(config=users) as server:
        assert server.monitor("varz")["auth_required"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    [
        pytest.param(name, marks=pytest.mark.needs(name))
        for name in ("nats-server", "nats-server-2.9")
    ],
)
def test_nats_cluster_survives_its_leader(part):
    with NatsCluster(parts.find(part)) as cluster:
        assert cluster.meta_leader() in cluster.servers
        assert publish(cluster.servers[0], make_stream=True, replicas=3) == 1
        dead = cluster.kill_stream_leader("S")
        leader = cluster.stream_leader("S")
        assert leader is not dead
        assert publish(leader) == 2
        dead.start()
        cluster.wait_until_healthy()
        assert publish(dead) == 3


def _postgres_binaries():
    return [
        pytest.param(find, id=name)
        for name, find in {
            "newest": parts.find_postgres,
            "wheel": parts.find_postgres_wheel,
        }.items()
    ]


@pytest.mark.needs("postgres")
@pytest.mark.parametrize("find", _postgres_binaries())
def test_postgres_keeps_its_data_through_stop_and_kill(find):
    with PostgresServer(find()) as server:
        with psycopg.connect(server.dsn()) as connection:
            connection.execute("CREATE TABLE t (x int)")
        for after in (server.restart, server.kill):
            with psycopg.connect(server.dsn()) as connection:
                connection.execute("INSERT INTO t VALUES (1)")
            after()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.dsn())
        server.start()
        with psycopg.connect(server.dsn()) as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (2,)
    assert not server.directory.exists()


@pytest.mark.needs("postgres")
def test_postgres_restarts_right_after_a_kill_with_a_busy_connection():
    with PostgresServer() as server:
        busy = psycopg.connect(server.dsn(), autocommit=True)
        server.kill()
        server.start()
        with pytest.raises(psycopg.OperationalError):
            busy.execute("SELECT 1")
        busy.close()
        psycopg.connect(server.dsn()).close()


@pytest.mark.needs("mariadb")
def test_mariadb_keeps_its_data_through_stop_and_kill():
    import pymysql

    def connect():
        return pymysql.connect(unix_socket=server.socket_path, user=server.user, autocommit=True)

    with MariaDBServer() as server:
        with connect() as connection:
            connection.cursor().execute("CREATE DATABASE d")
            connection.cursor().execute("CREATE TABLE d.t (x int)")
        for after in (server.restart, server.kill):
            with connect() as connection:
                connection.cursor().execute("INSERT INTO d.t VALUES (1)")
            after()
        assert not server.answers()
        server.start()
        with connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM d.t")
            assert cursor.fetchone() == (2,)
    assert not server.directory.exists()


@pytest.mark.needs("nats-server")
@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux'")
def test_a_server_dies_with_its_killed_owner(tmp_path):
    source = (
        "import pathlib, sys, time; from tests.servers import NatsServer;"
        "s = NatsServer(directory=pathlib.Path(sys.argv[1])); s.start();"
        "print(s.process.pid, flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", source, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with owner:
        pid = int(owner.stdout.readline())
        assert _exists(pid)
        owner.kill()
    # A container's first process may never collect it: a zombie is as dead.
    wait_until(lambda: not _exists(pid) or _is_zombie(pid), "the server is gone")


def _is_zombie(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return state.stdout.startswith("Z")


@pytest.mark.needs("nats-server")
def test_a_server_outlives_the_thread_that_started_it():
    import threading

    server = NatsServer()
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    # Python is done with a thread before the system is; the signal would come from the system.
    task = Path(f"/proc/self/task/{thread.native_id}")
    wait_until(lambda: not task.exists(), "the thread is gone")
    assert server.answers()
    server.close()


def test_free_ports_lie_outside_the_range_of_outgoing_connections():
    assert {free_port() < 32_768 for _ in range(20)} == {True}


@pytest.mark.needs("nats-server")
def test_signals_reach_a_stopped_server_as_nothing():
    server = NatsServer()
    server.process.send(signal.SIGTERM)
    server.stop()
    server.close()
