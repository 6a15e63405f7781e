"""A throw-away MariaDB server on a unix socket."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.servers import parts
from tests.servers.process import ServerError, ServerProcess, run_tool
from tests.servers.scratch import memory_directory, scratch_directory

# Commits reach the operating system at once: safe against a killed server, not a power cut.
FAST = {"innodb-flush-log-at-trx-commit": "2", "innodb-flush-method": "fsync"}
COMMON = {
    # The usual ones: case and trailing space do not count, which a store must cope with.
    "character-set-server": "utf8mb4",
    "collation-server": "utf8mb4_general_ci",
    "max-connections": "200",
    "innodb-buffer-pool-size": "256M",
}


class MariaDBServer:
    """
    One MariaDB server, its data and socket in a directory of its own; user `root`, no password.

    Args:
        binary: the server program; by default the machine's.
        directory: where its files are kept, by default a new one that `close()` removes.
        durable: whether commits are synced to disk, as MariaDB does unless told otherwise.
            A killed server loses no commit either way.
        settings: more settings, by name without the dashes ("max-connections": "50").

    A context manager: starts, and closes at the end.
    """

    user = "root"

    def __init__(
        self,
        binary: Path | None = None,
        *,
        directory: Path | None = None,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._binary = binary or parts.find("mariadb")
        self._owns_directory = directory is None
        self.directory = directory or scratch_directory("es-maria-")
        self.settings = {**COMMON, **({} if durable else FAST), **(settings or {})}
        self.process: ServerProcess | None = None

    @property
    def socket_path(self) -> str:
        """The unix socket's path."""
        return str(self.directory / "s.sock")

    def django_settings(self, name: str = "mysql") -> dict[str, Any]:
        """Return an entry of Django's `DATABASES` for the database `name`."""
        return {
            "ENGINE": "django.db.backends.mysql",
            "NAME": name,
            "USER": self.user,
            "HOST": self.socket_path,
            "OPTIONS": {"charset": "utf8mb4"},
        }

    @property
    def running(self) -> bool:
        """Whether the program is there; a frozen one is."""
        return self.process is not None and self.process.running

    def start(self) -> None:
        """Start the server (the first time on new data) and wait until it is ready."""
        if self._binary is None:
            raise ServerError(f"no MariaDB here: {parts.PARTS['mariadb'].hint}")
        data = self.directory / "data"
        if not data.exists():
            self._initialise(data)
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        self.process = ServerProcess(
            [
                *(self._binary, "--no-defaults", *_account_options(), f"--datadir={data}"),
                *(f"--socket={self.socket_path}", f"--pid-file={self.directory / 'pid'}"),
                *(_temporary(self.directory), "--skip-networking", "--skip-name-resolve", *options),
            ],
            log=self.directory / "server.log",
        )
        self.process.start()
        self.process.wait_until_ready(self.answers)

    def answers(self) -> bool:
        """Whether the server greets a new connection."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(self.socket_path)
                greeting = connection.recv(5)
            except OSError:
                return False
        # Four bytes of packet header, then the protocol's version.
        return greeting[4:] == b"\x0a"

    def stop(self) -> None:
        """Stop the server in order; its data stays."""
        if self.process is not None:
            self.process.stop()

    def kill(self) -> None:
        """Kill the server (SIGKILL); its data stays. `start()` then recovers it."""
        self._running_process().kill()

    def pause(self) -> None:
        """Freeze the server (SIGSTOP)."""
        self._running_process().pause()

    def resume(self) -> None:
        """Let a frozen server go on (SIGCONT)."""
        self._running_process().resume()

    def restart(self) -> None:
        """Stop the server if it runs, and start it again on the same data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the server and remove its directory, if it made it."""
        if self._owns_directory and self.process is not None:
            self.process.kill()  # nobody needs the data: no reason to wait for a clean end
        self.stop()
        if self._owns_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _running_process(self) -> ServerProcess:
        if self.process is None:
            raise ServerError("MariaDB was not started")
        return self.process

    def _initialise(self, data: Path) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        # The installer syncs a thousand times: seconds on a disk, nothing in memory.
        made = memory_directory("es-maria-", free=512 * 2**20) or self.directory
        run_tool(
            [
                *("mariadb-install-db", "--no-defaults", *_account_options()),
                *(f"--datadir={made / 'data'}", "--auth-root-authentication-method=normal"),
                *(_temporary(made), "--skip-test-db", "--skip-name-resolve"),
            ]
        )
        if made != self.directory:
            shutil.move(made / "data", data)
            shutil.rmtree(made)


def _temporary(directory: Path) -> str:
    # One that starts removes all temporary tables that it finds there, those of others too.
    path = directory / "tmp"
    path.mkdir(exist_ok=True)
    return f"--tmpdir={path}"


def _account_options() -> list[str]:
    # It refuses to run as root unless told that this is meant.
    return ["--user=root"] if os.geteuid() == 0 else []
