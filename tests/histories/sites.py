"""The stores whose histories are recorded, and what can go wrong with each."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pymysql

from tests.histories.disk import SmallDisk, can_mount, directory_on
from tests.histories.network import Relay
from tests.servers import MariaDBServer, NatsCluster, NatsServer, PostgresServer
from tests.servers.databases import sqlite_settings
from tests.servers.scratch import scratch_directory

DATABASE_BACKEND = "django_eventstore.backends.database.DatabaseEventStore"
JETSTREAM_BACKEND = "django_eventstore.backends.jetstream.JetStreamEventStore"

Fault = Callable[[], None]


class Site:
    """
    A store with its server, and the faults that can be brought about there.

    A context manager: everything runs inside, nothing is left after. Each fault ends with a store
    that works (though its clients may need a moment to find it again).

    Args:
        source: decides how long each fault lasts.
    """

    name: str
    stale_reads = False

    def __init__(self, source: random.Random) -> None:
        self.random = source
        self.faults: dict[str, Fault] = {}
        self._stack = ExitStack()

    def entry(self, namespace: str) -> dict[str, Any]:
        """Return the store as an entry of `EVENT_STORES`."""
        raise NotImplementedError

    def databases(self) -> dict[str, dict[str, Any]]:
        """Return the entries of `DATABASES` that client processes use."""
        return {}

    def start(self) -> None:
        """Start what is needed, and say which faults there are."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._stack = stack
            self.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def last(self, shortest: float, longest: float) -> None:
        """Let a fault last."""
        time.sleep(self.random.uniform(shortest, longest))

    def hold_up(self, relay: Relay) -> None:
        """Let nothing through for a while; what was on its way then arrives late, or not at all."""
        relay.hold()
        self.last(0.3, 1.0)
        if self.random.random() < 0.5:
            relay.cut()
        relay.release()

    def small_disk(self, size: int) -> SmallDisk | None:
        """Return a disk to keep the data on, where this machine lets us mount one."""
        return self._stack.enter_context(SmallDisk(size)) if can_mount() else None


class SQLite(Site):
    """A file; its faults are a full disk, and what the runs do to clients."""

    name = "sqlite"

    def start(self) -> None:
        self.disk = self.small_disk(48 * 2**20)
        self.directory = directory_on(self.disk, "es-sqlite-")
        if self.disk is not None:
            self.faults["disk full"] = self.fill_disk

    def entry(self, namespace: str) -> dict[str, Any]:
        options = {"database": "default"}
        return {"BACKEND": DATABASE_BACKEND, "NAMESPACE": namespace, "OPTIONS": options}

    def databases(self) -> dict[str, dict[str, Any]]:
        return {"default": sqlite_settings("histories", self.directory)}

    def fill_disk(self) -> None:
        self.disk.fill()
        self.last(0.2, 0.6)
        self.disk.free()


class _Server(Site):
    """A site with one server behind a relay."""

    server: PostgresServer | MariaDBServer | NatsServer
    relay: Relay
    disk: SmallDisk | None = None

    def serve(self, server: Any, relay: Relay) -> None:
        self.server = self._stack.enter_context(server)
        self.relay = self._stack.enter_context(relay)
        self.faults = {
            "server killed": self.kill,
            "server restarted": server.restart,
            "server paused": self.pause,
            "connections cut": relay.cut,
            "network held up": lambda: self.hold_up(relay),
        }
        if self.disk is not None:
            self.faults["disk full"] = self.fill_disk

    def kill(self) -> None:
        self.server.kill()
        self.last(0.0, 0.3)
        self.server.start()

    def pause(self) -> None:
        """Stop every process of the server, as a frozen machine does; then let them go on."""
        pids = _family(self.server.process.pid)
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        self.last(0.3, 1.5)
        for pid in pids:
            _signal(pid, signal.SIGCONT)

    def fill_disk(self) -> None:
        self.disk.fill()
        self.last(0.3, 0.8)
        self.disk.free()
        # It may have ended, or have stopped writing for good.
        if self.server.running:
            self.server.kill()
        self.server.start()


class _Database(_Server):
    def entry(self, namespace: str) -> dict[str, Any]:
        options = {"database": "default"}
        return {"BACKEND": DATABASE_BACKEND, "NAMESPACE": namespace, "OPTIONS": options}

    def databases(self) -> dict[str, dict[str, Any]]:
        return {"default": self.settings()}

    def settings(self) -> dict[str, Any]:
        """Return the database behind the relay as an entry of `DATABASES`."""
        raise NotImplementedError


class Postgres(_Database):
    name = "postgres"

    def start(self) -> None:
        self.disk = self.small_disk(400 * 2**20)
        server = self.server_at(directory_on(self.disk, "es-pg-"))
        self.front = scratch_directory("es-pg-front-")
        name = f".s.PGSQL.{server.port}"
        self.serve(server, Relay(server.directory / name, self.front / name))

    def server_at(self, directory: Path) -> PostgresServer:
        return PostgresServer(directory=directory, settings={"max_wal_size": "64MB"})

    def settings(self) -> dict[str, Any]:
        return {**self.server.django_settings(), "HOST": str(self.front)}


class MariaDB(_Database):
    name = "mariadb"

    def start(self) -> None:
        self.disk = self.small_disk(600 * 2**20)
        server = MariaDBServer(directory=directory_on(self.disk, "es-maria-"))
        front = scratch_directory("es-maria-front-") / "s.sock"
        self.front = front
        self.serve(server, Relay(Path(server.socket_path), front))
        with pymysql.connect(unix_socket=server.socket_path, user=server.user) as connection:
            connection.cursor().execute("CREATE DATABASE histories")

    def settings(self) -> dict[str, Any]:
        return {**self.server.django_settings("histories"), "HOST": str(self.front)}


class JetStream(_Server):
    name = "jetstream"
    binary: Path | None = None

    def start(self) -> None:
        self.disk = self.small_disk(128 * 2**20)
        server = NatsServer(self.binary, directory=directory_on(self.disk, "es-nats-"))
        self.serve(server, Relay(("127.0.0.1", server.port)))

    def entry(self, namespace: str) -> dict[str, Any]:
        return _jetstream(namespace, [self.relay])


class JetStreamCluster(Site):
    """Three nodes, three replicas."""

    name = "jetstream3"
    # Replicas answer direct gets by themselves.
    stale_reads = True

    def start(self) -> None:
        # Clients are not to learn of a way around the relays.
        self.cluster = self._stack.enter_context(NatsCluster(advertise=False))
        self.relays = [
            self._stack.enter_context(Relay(("127.0.0.1", node.port)))
            for node in self.cluster.servers
        ]
        self.stream = ""
        self.faults = {
            "leader killed": self.kill_leader,
            "leader paused": self.pause_leader,
            "node killed": self.kill_any,
            "node restarted": self.restart_any,
            "connections cut": self.cut_all,
            "network held up": lambda: self.hold_up(self.random.choice(self.relays)),
        }

    def entry(self, namespace: str) -> dict[str, Any]:
        self.stream = f"{namespace}_events"
        return _jetstream(namespace, self.relays, replicas=3)

    def cut_all(self) -> None:
        for relay in self.relays:
            relay.cut()

    def kill_leader(self) -> None:
        with self._one_away(self.cluster.kill_stream_leader(self.stream)) as node:
            node.start()

    def kill_any(self) -> None:
        node = self.random.choice(self.cluster.servers)
        node.kill()
        with self._one_away(node):
            node.start()

    def restart_any(self) -> None:
        node = self.random.choice(self.cluster.servers)
        node.stop()
        with self._one_away(node):
            node.start()

    def pause_leader(self) -> None:
        node = self.cluster.stream_leader(self.stream)
        node.pause()
        with self._one_away(node):
            node.resume()

    @contextlib.contextmanager
    def _one_away(self, node: NatsServer) -> Any:
        # Long enough for an election. Then it comes back, and is waited for: one node at a time.
        self.last(0.5, 3.0)
        yield node
        self.cluster.wait_until_healthy()


def _jetstream(namespace: str, relays: list[Relay], **options: Any) -> dict[str, Any]:
    addresses = [relay.listening for relay in relays]
    servers = [f"nats://{host}:{port}" for host, port in addresses]
    return {
        "BACKEND": JETSTREAM_BACKEND,
        "NAMESPACE": namespace,
        "OPTIONS": {"servers": servers, "max_age": None, **options},
    }


def _family(pid: int) -> list[int]:
    """Return a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [pid, *map(int, children.read_text().split())]
    except OSError:
        return [pid]


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


SITES = {site.name: site for site in (SQLite, Postgres, MariaDB, JetStream, JetStreamCluster)}
