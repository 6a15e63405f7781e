"""A small file system that can be filled up."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from pathlib import Path
from typing import Self

from tests.servers.scratch import scratch_directory


class SmallDisk:
    """
    A file system of `size` bytes in memory; a context manager.

    Mounting takes root; where it fails, `OSError` is raised at the start.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.directory = scratch_directory("es-disk-")
        self._filler = self.directory / "filler"

    def __enter__(self) -> Self:
        try:
            options = f"size={self.size},mode=0711"
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.directory)],
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise OSError(errno.EPERM, f"cannot mount a small file system: {error}") from error
        return self

    def __exit__(self, *exc_info: object) -> None:
        subprocess.run(["umount", "--lazy", str(self.directory)], check=True)

    def fill(self) -> None:
        """Leave no room for one more byte."""
        with self._filler.open("ab", buffering=0) as filler:
            for size in (2**20, 4096):
                with contextlib.suppress(OSError):
                    # Never more than the disk holds, should it not be there.
                    while filler.tell() < self.size:
                        filler.write(bytes(size))

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)


def can_mount() -> bool:
    """Whether this machine lets us mount a small disk."""
    if os.geteuid() != 0:
        return False
    try:
        with SmallDisk(2**20):
            return True
    except OSError:
        return False


def directory_on(disk: SmallDisk | None, prefix: str) -> Path:
    """Return an empty directory on `disk`, or an ordinary one."""
    if disk is None:
        return scratch_directory(prefix)
    directory = disk.directory / prefix
    directory.mkdir(mode=0o711)
    return directory
