"""A projection applies each event exactly once, in the order of its actor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections, transaction

from django_eventstore import Event, event_stores
from django_eventstore.exceptions import LeaseLost
from django_eventstore.models import ConsumerWorker, ParkedEvent, ShardLease
from django_eventstore.projections import (
    Projection,
    ProjectionWorker,
    get_projection,
    projection,
    register,
)
from django_eventstore.workers.leases import ShardLeases
from django_eventstore.workers.parking import Parking
from tests.servers.databases import child_environment, sqlite_settings
from tests.support.database import ALL, on
from tests.support.projections.figures import agree
from tests.support.projections.models import Total
from tests.support.projections.projections import count
from tests.support.projections.workers import LEASE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def counting():
    return get_projection("counting-default")


def save(alias, count, actors=7):
    store = event_stores[alias]
    return [
        store.save_event(Event(f"actor-{n % actors}", "Counted", {"n": n})) for n in range(count)
    ]


def run(projection, **options):
    return ProjectionWorker(projection, once=True, lease=LEASE, **options).run()


def totals(actor_id):
    return Total.objects.filter(actor_id=actor_id).values_list("count", flat=True).first() or 0


@on(*ALL, transactions=True)
def test_events_are_counted_once_however_often_it_runs(alias):
    counting = get_projection(f"counting-{alias}")
    save(alias, 20)
    assert run(counting) == 20
    assert run(counting) == 0
    save(alias, 3)
    assert run(counting) == 3
    agree(alias)


def test_an_empty_store_is_done_at_once(counting):
    assert run(counting) == 0


def test_it_goes_on_with_what_is_saved_until_it_is_stopped(counting):
    class WhenCounted:
        def is_set(self):
            return Total.objects.count() == 1

    save("default", 1)
    ProjectionWorker(counting, stop=WhenCounted()).run()
    agree("default")
    assert not ConsumerWorker.objects.exists()
    # What was read is written down, for every shard, also where nothing happened.
    assert set(ShardLease.objects.values_list("position", flat=True)) == {
        next(event_stores["default"].read_all()).position
    }


def test_only_wanted_types_are_applied_and_the_others_are_passed(counting, monkeypatch):
    monkeypatch.setattr(type(counting), "event_types", ["Wanted"])
    save("default", 3)
    event_stores["default"].save_event(Event("b", "Wanted", {"n": 1}))
    assert run(counting) == 1
    assert counting.figures().lag == 0


# -- events that cannot be applied


class Poison(set):
    attempts: list


@pytest.fixture
def poisoned(counting, monkeypatch):
    """Let the projection fail for these values of ``n``; without a pause before it tries again."""
    found = Poison()
    found.attempts = []

    def apply(self, event):
        count(event, "default")
        found.attempts.append(event.data["n"])
        if event.data["n"] in found:
            raise ValueError(f"cannot apply {event.data['n']}")

    monkeypatch.setattr(type(counting), "apply", apply)
    monkeypatch.setattr(type(counting), "retries", 2)
    monkeypatch.setattr("django_eventstore.workers.parking.FIRST_PAUSE", timedelta(0))
    return found


def test_an_event_that_cannot_be_applied_is_parked_and_the_others_go_on(counting, poisoned):
    poisoned.add(8)  # the second event of actor-1; 15 is the third
    saved = save("default", 20)
    assert run(counting) == 18
    assert totals("actor-1") == 1
    assert totals("actor-2") == 3
    assert poisoned.attempts.count(8) >= 1 + counting.retries
    rows = ParkedEvent.objects.order_by("position")
    assert [(row.position, row.actor_id, row.attempts) for row in rows] == [
        (saved[8].position, "actor-1", 3),
        (saved[15].position, "actor-1", 0),
    ]
    assert "ValueError: cannot apply 8" in rows[0].error
    figures = counting.figures()
    assert (figures.parked, figures.failed, figures.lag) == (2, 1, 0)
    assert "cannot apply 8" in figures.last_error


def test_later_events_wait_behind_a_parked_one_and_follow_it_in_order(counting, poisoned):
    poisoned.add(1)
    save("default", 10)
    run(counting)
    save("default", 10)
    run(counting)
    assert totals("actor-1") == 0
    poisoned.clear()
    assert Parking(counting.open_consumer(), counting.retries).retry() == 4
    run(counting)
    assert not ParkedEvent.objects.exists()
    agree("default")


def test_a_failure_that_passes_costs_nothing(counting, poisoned):
    poisoned.update(range(5))
    poisoned.attempts = attempts = Recovering(poisoned)
    save("default", 10)
    run(counting)
    assert attempts
    assert not ParkedEvent.objects.exists()
    agree("default")


class Recovering(list):
    """Heals an event after its second attempt."""

    def __init__(self, poisoned):
        super().__init__()
        self.poisoned = poisoned

    def append(self, n):
        super().append(n)
        if self.count(n) > 2:
            self.poisoned.discard(n)


def test_a_deleted_parked_event_lets_its_actor_go_on_without_it(counting, poisoned):
    poisoned.add(1)
    save("default", 20)
    run(counting)
    ParkedEvent.objects.order_by("position").first().delete()
    run(counting)
    assert not ParkedEvent.objects.exists()
    assert totals("actor-1") == 2


def test_a_callback_on_commit_that_fails_applies_nothing_twice(counting, monkeypatch):
    def apply(self, event):
        count(event, "default")
        transaction.on_commit(lambda: 1 / 0)

    monkeypatch.setattr(type(counting), "apply", apply)
    save("default", 5)
    run(counting)
    agree("default")


@on(*ALL, transactions=True)
def test_a_commit_whose_outcome_is_unknown_is_not_applied_twice(alias):
    """The connection is lost after the server has committed, and before it has said so."""
    counting = get_projection(f"counting-{alias}")
    connection = connections[alias]
    lost = []

    class Lose(type(counting)):
        def apply(self, event):
            count(event, alias)
            if not lost:
                lost.append(connection._commit)
                connection._commit = self.commit_and_lose

        def commit_and_lose(self):
            connection._commit = lost[0]
            connection._commit()
            raise OperationalError("the connection is lost")

    save(alias, 5)
    run(Lose())
    assert lost
    agree(alias)
    assert not ParkedEvent.objects.using(alias).exists()


# -- leases


def member(consumer, **options):
    """Return leases of a worker that is registered, and sends no heartbeat."""
    leases = ShardLeases(consumer, **{"lease": timedelta(minutes=1), **options})
    leases._register()
    return leases


def settle(*members):
    """Let workers balance until nothing changes."""
    while any(each.balance() for each in members):
        pass


@on(*ALL, transactions=True)
def test_shards_are_shared_out_and_taken_over(alias):
    consumer = get_projection(f"counting-{alias}").open_consumer()
    workers = [member(consumer) for _ in range(3)]
    settle(*workers)
    shares = [set(worker.positions) for worker in workers]
    assert set.union(*shares) == set(range(1024))
    assert sum(map(len, shares)) == 1024
    assert min(map(len, shares)) > 200
    assert all(worker.settled for worker in workers)
    # One goes: its shards are shared out, and the others keep theirs.
    workers[0]._leave()
    settle(*workers[1:])
    assert set(workers[1].positions) > shares[1]
    assert set(workers[2].positions) > shares[2]
    assert len(workers[1].positions) + len(workers[2].positions) == 1024


def test_workers_that_come_at_once_take_no_shards_of_each_other(monkeypatch):
    """Both have looked for others when neither is registered yet."""
    consumer = get_projection("counting-default").open_consumer()
    first, second = (ShardLeases(consumer, lease=timedelta(minutes=1)) for _ in range(2))
    register = second._register

    def late():
        first.balance()
        register()

    monkeypatch.setattr(second, "_register", late)
    second.balance()
    assert len(first.positions) == 1024
    assert not second.positions
    settle(first, second)
    assert len(first.positions) + len(second.positions) == 1024


def test_once_does_not_end_before_everything_is_applied(counting):
    """A worker that was killed a moment ago counts as alive, and its shards are not done."""
    save("default", 20)
    consumer = counting.open_consumer()
    member(consumer, lease=timedelta(seconds=1)).balance()
    assert run(counting) == 20
    agree("default")


@on(*ALL, transactions=True)
def test_a_stalled_owner_cannot_commit(alias):
    """Its lease runs out, another takes over and goes on; then it wakes up."""
    consumer = get_projection(f"counting-{alias}").open_consumer()
    stalled = member(consumer, lease=timedelta(seconds=-1))  # its heartbeat is over already
    stalled._take(range(1024), ())
    other = member(consumer)
    settle(other)
    assert len(other.positions) == 1024
    with transaction.atomic(using=alias):
        other.advance([3], 20)
    with pytest.raises(LeaseLost), transaction.atomic(using=alias):
        stalled.advance([3], 10)
    assert ShardLease.objects.using(alias).get(shard=3).position == 20
    numbers = ShardLease.objects.using(alias).values_list("fencing", flat=True).distinct()
    assert list(numbers) == [2]


def test_another_number_of_shards_needs_all_at_one_position(counting, monkeypatch):
    save("default", 5)
    run(counting)
    ShardLease.objects.filter(shard=3).update(position=1)
    monkeypatch.setattr(type(counting), "shards", 16)
    with pytest.raises(ImproperlyConfigured, match="1024 shards in the database"):
        counting.open_consumer()
    ShardLease.objects.update(position=ShardLease.objects.get(shard=4).position)
    assert run(counting) == 0
    save("default", 5)
    assert run(counting) == 5
    agree("default")


# -- naming projections


def test_a_function_can_be_a_projection():
    seen = []

    @projection("of-a-function", models=[Total], store="default", shards=1)
    def collect(event):
        seen.append(event.data["n"])

    save("default", 5)
    assert run(get_projection("of-a-function")) == 5
    assert seen == [0, 1, 2, 3, 4]


def test_wrong_projections_are_refused():
    with pytest.raises(ImproperlyConfigured, match="there is a projection 'counting-default'"):

        @register
        class Another(Projection):
            name = "counting-default"

    with pytest.raises(ImproperlyConfigured, match="name"):

        @register
        class Nameless(Projection):
            pass

    with pytest.raises(ImproperlyConfigured, match="did you mean 'event_types'"):
        projection("x", event_type=["A"])
    with pytest.raises(ImproperlyConfigured, match="There is no projection 'countin'"):
        get_projection("countin")


def test_a_projection_cannot_go_on_in_another_store(counting, monkeypatch):
    run(counting)
    monkeypatch.setattr(type(counting), "store", "memory")
    with pytest.raises(ImproperlyConfigured, match=r"has read DatabaseEventStore\('default'\)"):
        counting.open_consumer()


# -- the command


def test_the_command_catches_up_and_tells(capsys, poisoned):
    poisoned.add(3)
    save("default", 10)
    with pytest.raises(CommandError, match="parked"):
        call_command("run_projections", "counting-default", "--once")
    assert "cannot apply 3" in capsys.readouterr().out
    poisoned.clear()
    call_command("run_projections", "counting-default", "--once", "--retry-parked")
    agree("default")


def test_the_command_ends_in_order_on_sigterm():
    class Terminate(threading.Thread):
        def run(self):
            while not ShardLease.objects.exclude(owner=None).exists():
                pass
            connections.close_all()
            os.kill(os.getpid(), signal.SIGTERM)

    terminate = Terminate()
    terminate.start()
    call_command("run_projections", "counting-default")
    terminate.join()
    assert not ConsumerWorker.objects.exists()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("alias", ["default", "postgres"])
def test_missing_tables_end_the_command_at_once(alias, workers, request, tmp_path):
    if alias == "postgres":
        # Never migrated, unlike that of the tests.
        empty = request.getfixturevalue("postgres_server").django_settings("postgres")
    else:
        empty = sqlite_settings("empty", tmp_path)
    arguments = ("run_projections", f"counting-{alias}", f"--workers={workers}")
    ended = subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        check=False,
        env={**os.environ, **child_environment(**{alias: empty})},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert f"counting-{alias} cannot start: " in ended.stderr
    assert "have all migrations been applied, with migrate?" in ended.stderr
    assert "Traceback" not in ended.stderr
