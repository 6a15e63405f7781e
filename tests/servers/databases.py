"""The databases of a test run: where they are, and how a child process reaches the same ones."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from tests.servers import MariaDBServer, PostgresServer, parts
from tests.servers.scratch import remove_at_exit, short_base

DIRECTORY_VARIABLE = "EVENTSTORE_TEST_DIR"
DATABASES_VARIABLE = "EVENTSTORE_TEST_DATABASES"


def _run_directory() -> Path:
    """
    Return the path of this run's directory, the same in its child processes.

    The servers' sockets lie in it, so settings can name a server before it is started. Each
    pytest-xdist worker has a directory, and so servers, of its own.
    """
    chosen = os.environ.setdefault(
        DIRECTORY_VARIABLE, str(short_base() / f"es-run-{secrets.token_hex(4)}")
    )
    return Path(chosen) / os.environ.get("PYTEST_XDIST_WORKER", "")


def make_run_directory() -> None:
    """Make this run's directory, for as long as this process lasts (reading settings does not)."""
    if not DIRECTORY.exists():
        DIRECTORY.mkdir(mode=0o711, parents=True)
        remove_at_exit(DIRECTORY)


DIRECTORY = _run_directory()
# Not started here: see the fixtures of the same names in conftest.py.
SERVERS: dict[str, PostgresServer | MariaDBServer] = {
    "postgres": PostgresServer(directory=DIRECTORY / "pg"),
    "mariadb": MariaDBServer(directory=DIRECTORY / "maria"),
}


def sqlite_settings(name: str, directory: Path = DIRECTORY) -> dict[str, Any]:
    """Return an entry of `DATABASES` for an SQLite file, with what the docs advise."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": directory / f"{name}.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
        # A file: other threads and processes must see it.
        "TEST": {"NAME": directory / f"test_{name}.sqlite3"},
    }


def configured_databases() -> dict[str, dict[str, Any]]:
    """
    Return `DATABASES`: SQLite, and each server's where the machine has its programs.

    In a child process, what `child_environment` said.
    """
    if given := os.environ.get(DATABASES_VARIABLE):
        return dict(json.loads(given))
    databases = {"default": sqlite_settings("default")}
    for alias, server in SERVERS.items():
        if parts.find(alias):
            # Tests may name one of these without "default", on which Django lets others depend.
            databases[alias] = {
                **server.django_settings("eventstore"),
                "TEST": {"DEPENDENCIES": []},
            }
    return databases


def child_environment(**databases: dict[str, Any]) -> dict[str, str]:
    """
    Return the variables by which `tests.settings` in a child process names this one's databases.

    The test databases whose servers run, and any given by alias beside or instead of them
    (`postgres=server.django_settings()`).
    """
    from django.db import connections

    current = {
        alias: {
            key: connections[alias].settings_dict[key]
            for key in ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")
        }
        for alias in connections
        if alias not in SERVERS or SERVERS[alias].running
    }
    return {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        DIRECTORY_VARIABLE: os.environ[DIRECTORY_VARIABLE],
        DATABASES_VARIABLE: json.dumps({**current, **databases}, default=str),
    }
