"""A worker goes on until it is stopped, and writes down what it read."""

from __future__ import annotations

import pytest

from django_eventstore import event_stores
from django_eventstore.models import ConsumerWorker, ShardLease
from django_eventstore.projections import ProjectionWorker
from tests.support.projections.counting import run, save
from tests.support.projections.figures import agree
from tests.support.projections.models import Total

pytestmark = pytest.mark.django_db(transaction=True)


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
