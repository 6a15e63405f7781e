"""A worker that starts with a wrong password: it ends and says so, and does not wait for ever."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest

from tests.conftest import require
from tests.servers import PostgresServer
from tests.servers.databases import child_environment

on_mariadb = pytest.mark.django_db(databases=["default", "mariadb"], transaction=True)


@pytest.fixture
def postgres():
    """Settings of a server that asks the user `worker` for a password, `right`."""
    require("postgres")
    with PostgresServer() as server:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute("CREATE ROLE worker LOGIN PASSWORD 'right'")
            rules = server.directory / "data" / "pg_hba.conf"
            rules.write_text(f"local all worker scram-sha-256\n{rules.read_text()}")
            connection.execute("SELECT pg_reload_conf()")
        yield {**server.django_settings(), "USER": "worker"}


def run_projection(**databases):
    """Run the command in a process of its own; return its status and what it told."""
    command = subprocess.run(
        [sys.executable, "-m", "django", "run_projections", f"counting-{next(iter(databases))}"],
        env={**os.environ, **child_environment(**databases)},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    return command.returncode, command.stderr


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("password", ["wrong", ""])
def test_postgresql_refuses(postgres, password):
    status, told = run_projection(postgres={**postgres, "PASSWORD": password})
    assert status == 1
    assert "counting-postgres cannot start: " in told
    assert "(are USER and PASSWORD in DATABASES right?)" in told
    assert "Traceback" not in told
    # With the right one it gets as far as the tables, which are missing.
    status, told = run_projection(postgres={**postgres, "PASSWORD": "right"})
    assert "have all migrations been applied" in told


@on_mariadb
def test_mariadb_refuses(mariadb_server):
    settings = {**mariadb_server.django_settings("eventstore"), "PASSWORD": "wrong"}
    status, told = run_projection(mariadb=settings)
    assert status == 1
    assert "Access denied for user 'root'@'localhost'" in told
    assert "(are USER and PASSWORD in DATABASES right?)" in told
