"""A throw-away `nats-server` on loopback."""

from __future__ import annotations

import json
import shutil
import socket
import textwrap
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.servers import parts
from tests.servers.process import ServerError, ServerProcess
from tests.servers.scratch import free_port, scratch_directory


class NatsServer:
    """
    One `nats-server` with JetStream, its data, log and configuration in a directory of its own.

    Args:
        binary: the program; by default the newest on the machine.
        directory: where its files are kept, by default a new one that `close()` removes. A server
            made on a stopped one's directory has its data.
        port: the client port, by default a free one; the same one after `restart()`.
        name: the server's name.
        config: more text for the configuration file (users, tokens, nkeys, TLS, cluster).
        jetstream: whether JetStream is on.
        sync_always: whether the server syncs each write to disk (2.10 and newer).

    Ready means that the socket answers `INFO`. A context manager: starts, and closes at the end.
    """

    def __init__(
        self,
        binary: Path | None = None,
        *,
        directory: Path | None = None,
        port: int | None = None,
        name: str = "eventstore",
        config: str = "",
        jetstream: bool = True,
        sync_always: bool = False,
    ) -> None:
        binary = binary or parts.find("nats-server")
        if binary is None:
            raise ServerError(f"no nats-server here: {parts.PARTS['nats-server'].hint}")
        self.binary = binary
        self.name = name
        self.port = port or free_port()
        self.monitor_port = free_port()
        self._owns_directory = directory is None
        self.directory = directory or scratch_directory("es-nats-")
        self.config = config
        self.jetstream = jetstream
        self.sync_always = sync_always
        self.process = ServerProcess(
            [self.binary, "-c", self.directory / "server.conf"], log=self.directory / "server.log"
        )

    @property
    def url(self) -> str:
        """The client address, without credentials."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def version(self) -> parts.Version:
        """The program's version, e.g. `(2, 15, 1)`."""
        return next(
            version for version, path in parts.nats_servers().items() if path == self.binary
        )

    @property
    def running(self) -> bool:
        """Whether the program is there; a frozen one is."""
        return self.process.running

    def start(self, *, wait: bool = True) -> None:
        """Start the server, on the same port and data as before; with `wait`, until it is ready."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "server.conf").write_text(self._configuration())
        self.process.start()
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self, timeout: float = 30.0) -> None:
        """Wait until clients are served; raises `ServerError` with the log's tail."""
        self.process.wait_until_ready(self.answers, timeout)

    def answers(self) -> bool:
        """Whether the server greets a new connection."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return connection.recv(5) == b"INFO "
        except OSError:
            return False

    def stop(self) -> None:
        """Stop the server in order; its data stays."""
        self.process.stop()

    def kill(self) -> None:
        """Kill the server (SIGKILL); its data stays."""
        self.process.kill()

    def pause(self) -> None:
        """Freeze the server (SIGSTOP): connections stay open and nothing is answered."""
        self.process.pause()

    def resume(self) -> None:
        """Let a frozen server go on (SIGCONT)."""
        self.process.resume()

    def restart(self) -> None:
        """Stop the server if it runs, and start it again on the same port and data."""
        self.stop()
        self.start()

    def monitor(self, path: str) -> dict[str, Any]:
        """Return the monitoring document at `path` ("varz", "jsz?streams=1"); {} if unanswered."""
        address = f"http://127.0.0.1:{self.monitor_port}/{path}"
        try:
            with urllib.request.urlopen(address, timeout=2) as response:
                document: dict[str, Any] = json.load(response)
        except (OSError, json.JSONDecodeError):
            return {}
        return document

    def close(self) -> None:
        """Stop the server and remove its directory, if it made it."""
        self.stop()
        if self._owns_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _configuration(self) -> str:
        lines = [
            f"server_name: {json.dumps(self.name)}",
            f"listen: 127.0.0.1:{self.port}",
            f"http: 127.0.0.1:{self.monitor_port}",
        ]
        if self.jetstream:
            sync = ", sync_interval: always" if self.sync_always else ""
            lines.append(
                f"jetstream {{ store_dir: {json.dumps(str(self.directory / 'data'))} {sync} }}"
            )
        return "\n".join([*lines, textwrap.dedent(self.config)]) + "\n"
