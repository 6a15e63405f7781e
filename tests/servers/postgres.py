"""A throw-away PostgreSQL server on a unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.servers import parts
from tests.servers.process import ServerError, ServerProcess, run_tool, wait_until
from tests.servers.scratch import scratch_directory

# Safe against a killed server (the operating system has the pages), not against a power cut.
FAST = {"fsync": "off", "full_page_writes": "off"}
COMMON = {"max_connections": "200", "max_wal_size": "4GB", "listen_addresses": ""}


class PostgresServer:
    """
    One PostgreSQL server, its data and socket in a directory of its own; user `postgres`, trusted.

    Args:
        binaries: the directory of its programs; by default the newest on the machine, else the
            wheel's.
        directory: where its files are kept, by default a new one that `close()` removes.
        durable: whether commits are synced to disk, as PostgreSQL does unless told otherwise.
            A killed server loses no commit either way.
        settings: more settings, by name ("shared_buffers": "1GB").

    As root, the server runs as `postgres`, or `nobody` where that user is missing: it refuses to
    run as root. A context manager: starts, and closes at the end.
    """

    user = "postgres"
    port = 5432  # only names the socket

    def __init__(
        self,
        binaries: Path | None = None,
        *,
        directory: Path | None = None,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._binaries = binaries or parts.find("postgres")
        self._owns_directory = directory is None
        self.directory = directory or scratch_directory("es-pg-")
        self.settings = {**COMMON, **({} if durable else FAST), **(settings or {})}
        self.process: ServerProcess | None = None

    @property
    def host(self) -> str:
        """The socket's directory: what libpq takes as a host."""
        return str(self.directory)

    def dsn(self, database: str = "postgres") -> str:
        """Return the connection text for psycopg."""
        return f"host={self.host} port={self.port} user={self.user} dbname={database}"

    def django_settings(self, name: str = "postgres") -> dict[str, Any]:
        """Return an entry of Django's `DATABASES` for the database `name`."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "USER": self.user,
            "HOST": self.host,
            "PORT": str(self.port),
        }

    @property
    def running(self) -> bool:
        """Whether the program is there; a frozen one is."""
        return self.process is not None and self.process.running

    def start(self) -> None:
        """Start the server (the first time on new data) and wait until it is ready."""
        account = _unprivileged_account()
        binaries = self._usable_binaries(account)
        data = self.directory / "data"
        if not data.exists():
            self._initialise(binaries, data, account)
        options = [f"-c{name}={value}" for name, value in self.settings.items()]
        self.process = ServerProcess(
            [
                *(binaries / "postgres", "-D", data, "-k", self.directory),
                *("-p", str(self.port), *options),
            ],
            log=self.directory / "server.log",
            user=account,
            # Its immediate shutdown: killed outright, it leaves shared memory behind.
            orphaned=signal.SIGQUIT,
        )
        # After a kill, backends of the old server end a moment later; until then the new one
        # refuses the shared memory they hold.
        wait_until(self._started, "PostgreSQL starts", timeout=30)

    def stop(self) -> None:
        """Stop the server, breaking off open connections; its data stays."""
        if self.process is not None:
            self.process.stop(signal.SIGINT)

    def kill(self) -> None:
        """Kill the server (SIGKILL); its data stays. `start()` then recovers it."""
        self._running_process().kill()

    def pause(self) -> None:
        """Freeze the server's main process (SIGSTOP): no new connection is served."""
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
        if self.process is not None:
            self.process.stop(signal.SIGQUIT)
        if self._owns_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _running_process(self) -> ServerProcess:
        if self.process is None:
            raise ServerError("PostgreSQL was not started")
        return self.process

    def _started(self) -> bool:
        process = self._running_process()
        process.start()
        try:
            process.wait_until_ready(self._ready)
        except ServerError:
            if "shared memory block" in process.log_tail(3):
                return False
            process.stop()
            raise
        return True

    def _ready(self) -> bool:
        # The eighth line of this file is how the server reports its state; the first tells ours
        # from the file that a killed one left.
        try:
            lines = (self.directory / "data" / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return (
            len(lines) >= 8
            and int(lines[0]) == self._running_process().pid
            and lines[7].strip() == "ready"
        )

    def _initialise(self, binaries: Path, data: Path, account: str | None) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        if account is not None:
            shutil.chown(self.directory, account)
        run_tool(
            [
                *(binaries / "initdb", "-D", data, "-U", self.user, "-A", "trust"),
                *("-E", "UTF8", "--no-sync", *_locale_options(binaries)),
            ],
            user=account,
            cwd=self.directory,
        )

    def _usable_binaries(self, account: str | None) -> Path:
        """Return the programs, copied where `account` cannot reach them (a clone in /root)."""
        if self._binaries is None:
            raise ServerError(f"no PostgreSQL here: {parts.PARTS['postgres'].hint}")
        try:
            # Unlike the server itself, this one needs the libraries that a wheel puts elsewhere.
            run_tool([self._binaries / "initdb", "--version"], user=account)
        except ServerError:
            return _copy_of(self._binaries, self.directory / "programs")
        return self._binaries


def _copy_of(binaries: Path, target: Path) -> Path:
    """Copy a wheel's PostgreSQL with the libraries that lie beside its package."""
    installed = binaries.parent
    package = installed.parent
    libraries = package.with_name(f"{package.name}.libs")
    copy = target / package.name / installed.name
    if not target.exists():
        shutil.copytree(installed, copy, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, target / libraries.name)
    return copy / binaries.name


def _unprivileged_account() -> str | None:
    """Return the account to run as: None for ourselves."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _locale_options(binaries: Path) -> list[str]:
    """
    Return `initdb`'s options for a human language's order, as production has, where ICU is there.

    It differs from code point order, and the store must not depend on either.
    """
    built_with = subprocess.run(
        [binaries / "pg_config", "--configure"], capture_output=True, text=True, check=False
    ).stdout
    if "--with-icu" in built_with:
        return ["--no-locale", "--locale-provider=icu", "--icu-locale=en-US"]
    return ["--no-locale"]
