"""Workers and databases are killed at random points under load; every event is applied once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import psycopg
import pytest

from django_eventstore import event_stores
from django_eventstore.models import ParkedEvent
from django_eventstore.projections import ProjectionWorker, get_projection
from tests.conftest import require
from tests.servers import PostgresServer
from tests.servers.databases import child_environment
from tests.servers.process import wait_until
from tests.support.children import Child
from tests.support.projections.figures import agree
from tests.support.projections.killing import KILLS, Killer, load, with_stream
from tests.support.projections.workers import (
    LEASE,
    finish_and_compare,
    forward_until,
    keep_workers,
    make_tables,
    save_until,
    work_and_tell,
    work_until,
)


@pytest.mark.slow
@pytest.mark.django_db(databases=["default", "postgres"], transaction=True)
def test_workers_are_killed_and_replaced():
    """Four workers share the shards; twenty times one is killed and another added."""
    name, store = "counting-postgres", event_stores["postgres"]
    killer = Killer("postgres")
    with load(store):
        keeper = Child(keep_workers, 4, name)
        try:
            wait_until(lambda: len(killer.alive()) >= 4, "four workers share the shards")
            while len(killer.killed) < KILLS:
                time.sleep(random.uniform(0.02, 0.3))
                killer.kill_one()
        finally:
            keeper.kill()
    ProjectionWorker(get_projection(name), once=True, lease=LEASE).run()
    assert not ParkedEvent.objects.using("postgres").exists()
    agree("postgres")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_database_is_killed_and_started_again(nats_server, tmp_path):
    """Writers, workers and a forwarder go on when it is back; a worker starts while it is away."""
    require("postgres")
    name, stop = "counting-postgres", tmp_path / "stop"
    with ExitStack() as stack:
        server = stack.enter_context(PostgresServer())
        environment = child_environment(postgres=server.django_settings())

        def start(function, *arguments):
            child = Child(function, *arguments, environment=environment)
            stack.callback(child.kill)
            return child

        start(make_tables, "postgres").result()
        stores = with_stream(nats_server)
        writers = [start(save_until, stop, "postgres") for _ in range(2)]
        others = [start(work_until, stop, name) for _ in range(2)]
        others.append(start(forward_until, stop, "postgres", "stream", stores))

        def ask(what):
            with psycopg.connect(server.dsn()) as connection:
                return connection.execute(f"SELECT {what}").fetchone()[0] or 0

        def counted():
            return ask("sum(count) FROM projections_total")

        at_work = "count(*) FROM django_eventstore_consumerworker WHERE expires_at > now()"
        wait_until(lambda: ask(at_work) >= len(others), "all are at work")
        late = random.randrange(KILLS)
        for number in range(KILLS):
            before = counted()
            wait_until(lambda: counted() > before, "events are applied")  # noqa: B023
            time.sleep(random.uniform(0, 0.3))
            server.kill()
            if number == late:
                waits = tmp_path / "waits"
                others.append(start(work_and_tell, stop, name, waits))
                wait_until(waits.exists, "a worker that starts waits for the database")
            server.start()
        wait_until(lambda: ask(at_work) >= len(others), "the late worker is at work")
        stop.touch()
        acknowledged = sum(writer.result() for writer in writers)
        for child in others:
            child.result()
        length = start(finish_and_compare, name, "postgres", "stream", stores).result()
    assert length >= acknowledged > KILLS


@pytest.mark.django_db(transaction=True)
def test_killed_workers_of_the_command_start_again_in_an_outage():
    """The new ones wait for the database, and SIGTERM ends all of them at once."""
    require("postgres")
    with PostgresServer() as server:
        environment = child_environment(postgres=server.django_settings())
        Child(make_tables, "postgres", environment=environment).result()

        def at_work():
            """Return the process ids of the workers that are alive."""
            with psycopg.connect(server.dsn()) as connection:
                names = connection.execute(
                    "SELECT name FROM django_eventstore_consumerworker WHERE expires_at > now()"
                )
                return {int(name.split(":")[1]) for (name,) in names}

        def kill_one_in_an_outage(stderr):
            wait_until(lambda: len(at_work() - killed) == 2, "two are at work")
            pid = min(at_work() - killed)
            server.kill()
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
            # What was told before is about the former outage.
            told = read_until(stderr, "A worker was killed by signal 9")
            return told + read_until(stderr, "counting-postgres cannot start, and tries again: ")

        killed = set()
        arguments = ("run_projections", "counting-postgres", "--workers=2")
        with subprocess.Popen(
            [sys.executable, "-m", "django", *arguments],
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
            text=True,
        ) as command:
            try:
                told = kill_one_in_an_outage(command.stderr)
                server.start()
                told += kill_one_in_an_outage(command.stderr)
                command.terminate()
                told += command.stderr.read()
                command.wait()
            finally:
                command.kill()
    assert command.returncode == 0, told
    assert told.count("A worker was killed by signal 9") == 2
    assert "Traceback" not in told


def read_until(stream, text):
    """Return the lines up to one that has the text in it."""
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError("".join(lines))
