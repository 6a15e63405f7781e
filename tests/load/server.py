"""gunicorn as a child process, and what can be seen of its worker from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.load.targets import Target
from tests.servers.process import ServerProcess
from tests.servers.scratch import free_port, scratch_directory

ROOT = Path(__file__).parents[2]


@dataclass
class WebServer:
    """A running gunicorn with one worker on `port`."""

    process: ServerProcess
    port: int

    @property
    def worker(self) -> int:
        """The worker's process id."""
        pid = self.process.pid
        [child] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(child)

    def status(self, name: str) -> int:
        """Return a number from the worker's /proc status: `VmRSS` (KiB), `Threads`."""
        for line in Path(f"/proc/{self.worker}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
        raise KeyError(name)


@contextmanager
def serving(target: Target, threads: int) -> Iterator[WebServer]:
    """Run gunicorn on `target`; at the end it must stop by itself, in order."""
    directory = scratch_directory("es-load-web-")
    port = free_port()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.load.settings",
        "EVENTSTORE_LOAD_DATABASE": json.dumps(target.database, default=str),
        "EVENTSTORE_LOAD_STORE": json.dumps(target.store),
        # Where allocation arenas are many, memory seems to grow by what they leave unused.
        "MALLOC_ARENA_MAX": "2",
    }
    subprocess.run(
        [sys.executable, "-m", "django", "migrate", "--verbosity=0"],
        check=True,
        cwd=ROOT,
        env=environment,
    )
    variables = [f"{name}={value}" for name, value in environment.items()]
    process = ServerProcess(
        [
            *("env", "--chdir", ROOT, *variables),
            *(sys.executable, "-m", "gunicorn", "--worker-class=gthread", "--workers=1"),
            *(f"--threads={threads}", f"--bind=127.0.0.1:{port}", "--keep-alive=75"),
            *("--graceful-timeout=10", "--log-level=warning", "tests.load.wsgi"),
        ],
        log=directory / "gunicorn.log",
    )
    process.start()
    try:
        process.wait_until_ready(lambda: _answers(port))
        yield WebServer(process, port)
    finally:
        process.stop()
        errors = process.log_tail(200).strip()
        if errors:
            print(errors)


def _answers(port: int) -> bool:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/actors")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
