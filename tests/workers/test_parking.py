"""Events that cannot be applied are parked; the others go on."""

from __future__ import annotations

import pytest

from django_eventstore.models import ParkedEvent
from django_eventstore.workers.parking import Parking
from tests.support.projections.counting import run, save
from tests.support.projections.figures import agree
from tests.support.projections.models import Total

pytestmark = pytest.mark.django_db(transaction=True)


def totals(actor_id):
    return Total.objects.filter(actor_id=actor_id).values_list("count", flat=True).first() or 0


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
