"""Shards are leased: shared out, taken over, and fenced."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from django_eventstore.exceptions import LeaseLost
from django_eventstore.models import ShardLease
from django_eventstore.projections import get_projection
from django_eventstore.workers.leases import ShardLeases
from tests.support.database import ALL, on
from tests.support.projections.counting import run, save
from tests.support.projections.figures import agree

pytestmark = pytest.mark.django_db(transaction=True)


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
