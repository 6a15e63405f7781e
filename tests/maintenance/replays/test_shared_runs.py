"""Several hosts share a run; workers are killed, others take over, and the figures add up."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from datetime import timedelta
from itertools import islice

import psycopg
import pytest
from django.utils import timezone

from django_eventstore import Event, event_stores
from django_eventstore.maintenance.replays.running import open_handling
from django_eventstore.maintenance.replays.shared_runs import report_of
from django_eventstore.models import Consumer, ConsumerWorker, ReplayRun
from tests.conftest import require
from tests.maintenance.replays import functions
from tests.maintenance.replays.functions import ACTORS, SLOW_WHILE
from tests.servers import PostgresServer
from tests.servers.databases import child_environment
from tests.servers.process import wait_until
from tests.support.children import Child
from tests.support.database import ALL, on
from tests.support.projections.killing import Killer
from tests.support.projections.models import Total
from tests.support.projections.workers import make_tables

pytestmark = pytest.mark.django_db(databases=["default", "postgres"], transaction=True)

LEASE = timedelta(seconds=1)


def named(function):
    return f"{function.__module__}.{function.__name__}"


@pytest.fixture
def events():
    """Return the events of a store of some length."""
    return functions.save_history("postgres")


class Hosts:
    """Commands that share a run; each is what one host would run."""

    def __init__(self, slow, *arguments, **databases):
        self.arguments = arguments
        self.environment = {**os.environ, **child_environment(**databases), SLOW_WHILE: str(slow)}
        self.running = []

    def start(self):
        command = ["-m", "django", "replay_events", "--all", "--store", "postgres"]
        options = ["--workers", "2", "--run", "shared", "--lease-seconds", "1", "--format", "json"]
        host = subprocess.Popen(
            [sys.executable, *command, *options, *self.arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.running.append(host)

    def replace_dead(self):
        """Start another host for each whose workers were all killed."""
        for host in [host for host in self.running if host.poll() is not None]:
            self.running.remove(host)
            told = host.communicate()[1].decode()
            assert host.returncode == 1, told
            assert "All worker processes were killed" in told
            assert "run it again with --run shared" in told
            self.start()

    def results(self):
        """Return what each host that finished printed, and its exit status."""
        found = []
        for host in self.running:
            out, told = host.communicate(timeout=60)
            if b"All worker processes were killed" not in told:
                found.append((host.returncode, [json.loads(line) for line in out.splitlines()]))
        return found

    def kill(self):
        for host in self.running:
            host.kill()
            host.communicate()


@pytest.fixture
def share(tmp_path):
    """Start two hosts on a run, kill workers, then let the run end; return what each printed."""
    slow = tmp_path / "slow"
    slow.touch()
    started = []

    def run(kills, *arguments):
        hosts = Hosts(slow, *arguments)
        started.append(hosts)
        hosts.start()
        hosts.start()
        killer = Killer("postgres")
        while len(killer.killed) < kills:
            wait_until(lambda: hosts.replace_dead() or killer.alive(), "a worker owns shards")
            time.sleep(random.uniform(0.02, 0.5))
            killer.kill_one()
        # The last of all workers may have been killed a moment ago.
        hosts.start()
        slow.unlink()
        return hosts.results()

    yield run
    for hosts in started:
        hosts.kill()


@pytest.mark.slow
def test_killed_workers_of_a_handler_are_taken_over(events, share):
    """Six are killed; each event has taken effect once, in order of its actor."""
    results = share(6, "--handler", named(functions.handle))

    assert results
    disliked = [event for event in events if event.event_type == "Disliked"]
    for status, (summary,) in results:
        assert status == 1
        assert summary["events"] == len(events)
        (cause,) = summary["failed"]
        assert (cause["count"], cause["first"]["position"]) == (len(disliked), disliked[0].position)
    rows = Total.objects.using("postgres").values_list("actor_id", "count", "amount")
    wanted = {}
    for event in events:
        if event.event_type == "Counted":
            number, amount = wanted.get(event.actor_id, (0, 0))
            wanted[event.actor_id] = (number + 1, amount + event.data["n"])
    assert {actor_id: tuple(rest) for actor_id, *rest in rows} == wanted


@pytest.mark.slow
def test_killed_workers_of_a_comparison_are_taken_over(events, share):
    results = share(
        4,
        *("--apply", named(functions.total), "--initial", '{"sum": 0}'),
        *("--compare-with", named(functions.total_but_for_some)),
    )

    # The first event of all is disliked, and adds nothing.
    differing = {e.actor_id for e in events if e.event_type == "Disliked" and e.data["n"]}
    assert results
    for status, (*differences, summary) in results:
        assert status == 1
        assert sorted(each["actor_id"] for each in differences) == sorted(differing)
        assert (summary["actors"], summary["events"]) == (ACTORS, len(events))
        assert summary["differences"] == len(differing)


@on(*ALL, transactions=True)
def test_figures_are_kept_on_every_database(alias):
    """Two workers, one after the other, add what they found to the same rows."""
    store = event_stores[alias]
    store.save_events(Event(f"actor-{n}", "Saved", {"n": n}) for n in range(700))
    run = open_handling(store, named(functions.refuse), run="refusing")

    Child(functions.work_on_handling, run.pk, alias, LEASE).result()

    report = report_of(run)
    (cause,) = report.failed.values()
    first = next(store.read_all())
    assert (report.events, cause.count, cause.reason) == (700, 700, "Refused: \0 \ud800 0")
    assert cause.first == {"position": first.position, "actor_id": first.actor_id}
    assert not report.malformed


@on(*ALL, transactions=True)
def test_runs_are_forgotten_after_a_while(alias):
    store, handler = event_stores[alias], named(functions.refuse)
    for name in ("old", "new"):
        open_handling(store, handler, run=name)
    runs = ReplayRun.objects.using(alias)
    runs.filter(consumer__name="replay:old").update(worked_at=timezone.now() - timedelta(days=31))

    open_handling(store, handler, run="another")

    left = set(Consumer.objects.using(alias).values_list("name", flat=True))
    assert left == {"replay:new", "replay:another"}


def test_a_run_goes_on_where_it_was_stopped_and_is_done_once(events, tmp_path):
    """Ctrl-C, then again: the two together have handled each event once."""
    slow = tmp_path / "slow"
    slow.touch()
    hosts = Hosts(slow, "--handler", named(functions.handle))
    try:
        hosts.start()
        wait_until(Total.objects.using("postgres").count, "events are handled")
        (first,) = hosts.running
        first.terminate()
        _, told = first.communicate(timeout=30)
        assert first.returncode == 130
        assert b"Stopped. To go on, run it again with --run shared." in told
        assert not ConsumerWorker.objects.using("postgres").exists()
        handled = sum(Total.objects.using("postgres").values_list("count", flat=True))
        assert handled < len(events)

        slow.unlink()
        hosts.running.clear()
        hosts.start()
        hosts.start()
        again = hosts.results()
        # Once more, when it is done: the summary, and nothing else.
        hosts.running.clear()
        hosts.start()
        again += hosts.results()
    finally:
        hosts.kill()
    assert [summary["events"] for _, (summary,) in again] == [len(events)] * 3
    counted = sum(Total.objects.using("postgres").values_list("count", flat=True))
    assert counted == sum(event.event_type == "Counted" for event in events)


def test_a_run_goes_on_when_its_database_is_back(tmp_path):
    """PostgreSQL is killed in the middle of a run, and its workers and its command wait."""
    require("postgres")
    slow = tmp_path / "slow"
    slow.touch()
    with PostgresServer() as server:
        settings = server.django_settings()
        hosts = Hosts(slow, "--handler", named(functions.handle), postgres=settings)
        Child(make_tables, "postgres", environment=hosts.environment).result()
        events = Child(functions.save_history, "postgres", environment=hosts.environment).result()

        def handled():
            with psycopg.connect(server.dsn()) as connection:
                total = connection.execute("SELECT sum(count) FROM projections_total")
                return total.fetchone()[0] or 0

        try:
            hosts.start()
            (host,) = hosts.running
            wait_until(handled, "events are handled")
            server.kill()
            tries = (b"cannot go on, and tries again" in line for line in host.stderr)
            # By then one of the two has waited longer than the command does between two looks.
            assert sum(islice(filter(None, tries), 8)) == 8
            server.start()
            slow.unlink()
            ((status, (summary,)),) = hosts.results()
        finally:
            hosts.kill()
        assert (status, summary["events"]) == (1, len(events))
        assert handled() == sum(event.event_type == "Counted" for event in events)
