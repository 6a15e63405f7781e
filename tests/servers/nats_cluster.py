"""A throw-away cluster of `nats-server`s on loopback."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Self

from tests.servers.nats import NatsServer
from tests.servers.process import ServerError, wait_until
from tests.servers.scratch import free_port, scratch_directory


class NatsCluster:
    """
    `size` servers that form one JetStream cluster; each is a `NatsServer` in `servers`.

    Args:
        binary: the program, by default the newest on the machine.
        size: how many servers; three tolerate the loss of one.
        config: more text for each server's configuration file.
        sync_always: whether each write is synced to disk.
        advertise: whether the servers tell clients of each other.

    A context manager: ready (a meta leader elected, all servers healthy) inside, gone after.
    """

    def __init__(
        self,
        binary: Path | None = None,
        *,
        size: int = 3,
        config: str = "",
        sync_always: bool = False,
        advertise: bool = True,
    ) -> None:
        self.directory = scratch_directory("es-cluster-")
        routes = [free_port() for _ in range(size)]
        addresses = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
        self.servers = [
            NatsServer(
                binary,
                directory=self.directory / f"n{index}",
                name=f"n{index}",
                sync_always=sync_always,
                config=(
                    f"cluster {{ name: eventstore, listen: 127.0.0.1:{port}, "
                    f"routes: [{addresses}], "
                    f"no_advertise: {str(not advertise).lower()} }}\n{config}"
                ),
            )
            for index, port in enumerate(routes)
        ]

    @property
    def urls(self) -> list[str]:
        """The client addresses of all servers."""
        return [server.url for server in self.servers]

    def start(self) -> None:
        """Start the servers that do not run, and wait until the cluster is ready."""
        for server in self.servers:
            if not server.running:
                server.start(wait=False)
        for server in self.servers:
            server.wait_until_ready()
        self.wait_until_healthy()

    def meta_leader(self) -> NatsServer | None:
        """Return the leader that all running servers agree on, or None during an election."""
        return self._agreed(
            [
                server.monitor("jsz").get("meta_cluster", {}).get("leader")
                for server in self._running()
            ]
        )

    def stream_leader(self, stream: str) -> NatsServer:
        """Return the running server that leads `stream`; waits through an election (30 s)."""
        leaders: list[NatsServer] = []

        def elected() -> bool:
            leader = self._agreed([_leader_of(server, stream) for server in self._running()])
            if leader is not None:
                leaders.append(leader)
            return bool(leaders)

        wait_until(elected, f"stream {stream!r} has a leader")
        return leaders[-1]

    def kill_stream_leader(self, stream: str) -> NatsServer:
        """Kill the server that leads `stream` and return it (to be started again later)."""
        leader = self.stream_leader(stream)
        leader.kill()
        return leader

    def wait_until_healthy(self, timeout: float = 60.0) -> None:
        """Wait until the running servers agree on a leader and each has caught up."""

        def healthy() -> bool:
            return self.meta_leader() is not None and all(
                server.monitor("healthz").get("status") == "ok" for server in self._running()
            )

        wait_until(healthy, "the cluster is healthy", timeout)

    def stop(self) -> None:
        """Stop all servers; their data stays."""
        for server in self.servers:
            server.stop()

    def close(self) -> None:
        """Stop all servers and remove their data."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except ServerError:
            self.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _running(self) -> list[NatsServer]:
        return [server for server in self.servers if server.running]

    def _agreed(self, leaders: list[str | None]) -> NatsServer | None:
        """Return the running server that all of `leaders` name, if they name one."""
        if len(set(leaders)) != 1:
            return None
        return next((server for server in self._running() if server.name == leaders[0]), None)


def _leader_of(server: NatsServer, stream: str) -> str | None:
    for account in server.monitor("jsz?accounts=1&streams=1").get("account_details", []):
        for detail in account.get("stream_detail", []):
            if detail.get("name") == stream:
                leader: str | None = detail.get("cluster", {}).get("leader")
                return leader
    return None
