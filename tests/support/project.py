"""The sample project: its commands, run as real processes."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from django_eventstore.events.ndjson import to_line
from tests.support import ROOT

MANAGE = [sys.executable, str(ROOT / "sample_project" / "manage.py")]


class Project:
    """The sample project on a database file of its own, run as a user runs it."""

    def __init__(self, directory: Path) -> None:
        self.database = directory / "db.sqlite3"
        self.environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{self.database}",
            "EVENT_STORE_URL": "db://default",
            "DJANGO_SETTINGS_MODULE": "sample.settings",
            "PYTHONIOENCODING": "utf-8",
        }
        self.started: list[subprocess.Popen] = []

    def run(self, *arguments: str, stdin: bytes = b"", **environment: str):
        """Run ``manage.py *arguments`` to its end."""
        return subprocess.run(
            [*MANAGE, *arguments],
            input=stdin,
            env={**self.environment, **environment},
            capture_output=True,
            timeout=100,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start ``manage.py *arguments``, to be signalled."""
        process = subprocess.Popen(
            [*MANAGE, *arguments],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.started.append(process)
        return process

    def count(self) -> int:
        """Return how many events are committed, as another process sees it."""
        with closing(sqlite3.connect(self.database, timeout=20)) as connection:
            return connection.execute(
                "SELECT count(*) FROM django_eventstore_eventrecord"
            ).fetchone()[0]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """A migrated database file of the sample project."""
    project = Project(tmp_path_factory.mktemp("migrated"))
    done = project.run("migrate", "--verbosity", "0")
    assert done.returncode == 0, done.stderr.decode()
    return project.database


@pytest.fixture
def project(migrated, tmp_path):
    """The sample project on an empty, migrated database."""
    project = Project(tmp_path)
    shutil.copy(migrated, project.database)
    yield project
    for process in project.started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.fixture(scope="session")
def seeded(migrated, tmp_path_factory):
    """A database file of the sample project with 300 applications."""
    project = Project(tmp_path_factory.mktemp("seeded"))
    shutil.copy(migrated, project.database)
    done = project.run("demo", "--actors", "300")
    assert done.returncode == 0, done.stderr.decode()
    return project.database


@pytest.fixture
def seeded_project(seeded, project):
    """The sample project with 300 applications."""
    shutil.copy(seeded, project.database)
    return project


@pytest.fixture
def ndjson(tmp_path):
    """Write events, or lines as bytes, to a file; return its path."""

    def write(*lines, name: str = "events.ndjson") -> Path:
        path = tmp_path / name
        path.write_bytes(
            b"".join(line if isinstance(line, bytes) else to_line(line) for line in lines)
        )
        return path

    return write
