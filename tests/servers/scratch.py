"""Directories and ports that nothing else on the machine uses."""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import shutil
import socket
import tempfile
from pathlib import Path

# A unix socket's path holds at most 107 bytes; macOS' own temporary directory takes half of them.
LONGEST_BASE = 48
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST_PORT = 10_000
MEMORY = Path("/dev/shm")


def scratch_directory(prefix: str = "es-") -> Path:
    """
    Make an empty directory with a short path, removed when this process ends.

    Others may pass through it (mode 0711), as a server that runs as another user must.
    """
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=short_base()))
    directory.chmod(0o711)
    remove_at_exit(directory)
    return directory


def short_base() -> Path:
    """Return the machine's temporary directory, or /tmp where its path is too long for sockets."""
    base = tempfile.gettempdir()
    return Path(base if len(base) < LONGEST_BASE else "/tmp")


def remove_at_exit(directory: Path) -> None:
    """Have `directory` removed when this process ends."""
    atexit.register(_remove, directory, os.getpid())


def memory_directory(prefix: str, *, free: int) -> Path | None:
    """Make an empty directory in memory, or return None where `free` bytes are not to be had."""
    try:
        if shutil.disk_usage(MEMORY).free < free:
            return None
        directory = Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY))
    except OSError:
        return None
    remove_at_exit(directory)
    return directory


def _remove(directory: Path, owner: int) -> None:
    # A forked child inherits this exit handler, but not the directory.
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)


def free_port() -> int:
    """
    Return a free TCP port of 127.0.0.1 from below the range of outgoing connections.

    From inside that range, a client that retries a stopped server's port can be handed that very
    port as its own end, connect to itself, and keep the server from coming back.
    """
    highest = 32_768
    with contextlib.suppress(OSError):
        highest = int(EPHEMERAL_RANGE.read_text().split()[0])
    # Not the shared generator: pytest-randomly seeds it alike in every worker.
    candidates = random.SystemRandom()
    for _ in range(200):
        port = candidates.randrange(LOWEST_PORT, max(highest, LOWEST_PORT + 1_000))
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("found no free port on 127.0.0.1")
