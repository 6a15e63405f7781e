"""A NATS server for ``make demo STORE=jetstream`` and ``make run STORE=jetstream``."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

PORT = 42220  # not the usual one: never somebody else's server
START_SECONDS = 15


def ensure_server(manage: Path, directory: Path) -> None:
    """Start a server in the background, with its data in ``directory``, unless one answers.

    Raises:
        SystemExit: it does not start; says what its log says.
    """
    if _answers():
        return
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "server.log"
    environment = {name: value for name, value in os.environ.items() if name != "SAMPLE_STORE"}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - this project's own command
            [sys.executable, manage, "run_nats", f"--port={PORT}", f"--directory={directory}"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # it outlives us, and Ctrl-C
        )
    deadline = time.monotonic() + START_SECONDS
    while not _answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"The NATS server did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)
    sys.stderr.write(
        f"Started a NATS server (data and log in {directory}); stop it with: kill {process.pid}\n"
    )
    # It goes on without us: that is no process left behind by mistake.
    process.returncode = 0


def _answers() -> bool:
    try:
        with socket.create_connection(("127.0.0.1", PORT), timeout=1):
            return True
    except OSError:
        return False
