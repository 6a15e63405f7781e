"""Forwarding: each event once, in order per actor, whatever is killed when."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import override_settings

from django_eventstore import Event, EventStoreError, event_stores
from django_eventstore.maintenance.forwarding import Forwarder, forwarding_figures
from django_eventstore.models import Consumer, ShardLease
from tests.support.database import tamper
from tests.support.projections.figures import contents

pytestmark = pytest.mark.django_db(transaction=True)

SHORT = timedelta(seconds=1)
STORES = {
    "default": {"BACKEND": "django_eventstore.backends.database.DatabaseEventStore"},
    "memory": {"BACKEND": "django_eventstore.backends.memory.InMemoryEventStore"},
}


@pytest.fixture(autouse=True)
def stores():
    with override_settings(EVENT_STORES=STORES):
        yield


@pytest.fixture
def source():
    return event_stores["default"]


@pytest.fixture
def target():
    return event_stores["memory"]


def forward(source, target, **options):
    return Forwarder(source, target, lease=SHORT, **options).run()


def save(store, count, actors=3):
    return [
        store.save_event(
            Event(
                f"actor-{n % actors}",
                "Sent",
                {"n": n},
                version=None if n >= actors else store.get_latest_version(f"actor-{n}") + 10,
                command_id=f"command-{n}",
                metadata={"user_id": "u1"},
            )
        )
        for n in range(count)
    ]


def rewind(position=0):
    """Forget that events were sent, as a kill before the checkpoint does."""
    ShardLease.objects.update(position=position)


def test_everything_arrives_as_it_was(source, target):
    save(source, 10)
    assert forward(source, target) == 10
    assert contents(target) == contents(source)
    save(source, 5)
    assert forward(source, target) == 5
    assert contents(target) == contents(source)


def test_what_is_sent_again_is_there_once(source, target):
    save(source, 10)
    forward(source, target)
    save(source, 4)
    rewind()
    forward(source, target)
    assert contents(target) == contents(source)


def test_what_was_sent_in_part_is_completed(source, target):
    """A forwarder died in the middle of its page, and the next one's page is longer."""
    saved = save(source, 20, actors=1)
    target.save_events(saved[:7])
    forward(source, target)
    assert contents(target) == contents(source)


def test_a_target_with_other_events_stops_it_with_the_reason(source, target):
    saved = save(source, 3, actors=1)
    target.save_event(Event("actor-0", "Foreign", version=saved[1].version))
    with pytest.raises(EventStoreError, match=r"refuses event .*version 10 of actor 'actor-0'"):
        forward(source, target)
    assert forwarding_figures(source, target).lag == 3


def test_it_shows_how_much_is_left(source, target, capsys):
    save(source, 10)
    forward(source, target)
    save(source, 4)
    figures = forwarding_figures(source, target)
    assert (figures.lag, figures.workers) == (4, 0)
    call_command("forward_events", "default", "memory", "--status", "--format", "json")
    assert '"lag":4' in capsys.readouterr().out
    call_command("forward_events", "default", "memory")
    assert "nothing is left to send" in capsys.readouterr().out


def test_one_that_is_at_work_keeps_others_waiting(source, target):
    save(source, 3)
    busy = Forwarder(source, target, follow=True, lease=timedelta(minutes=1))
    with busy.leases.membership():
        busy.balance()
        with pytest.raises(EventStoreError, match="already"):
            forward(source, target)
    assert forward(source, target) == 3


def test_a_store_is_not_forwarded_to_itself():
    with pytest.raises(CommandError, match="the same store"):
        call_command("forward_events", "default", "default")


def test_events_that_cannot_be_read_are_left_out_and_named(source, target):
    saved = save(source, 5)
    tamper(saved[2].position, data="[")
    assert forward(source, target) == 4
    assert target.count_events() == 4
    figures = forwarding_figures(source, target)
    [malformed] = source.get_events_with_errors(saved[2].actor_id).errors
    assert (figures.parked, figures.last_error) == (1, str(malformed.error))


def test_what_was_sent_is_counted_once_however_slow_the_bookkeeping_is(source, target, monkeypatch):
    monkeypatch.setattr("django_eventstore.workers.reader.LONGEST_BATCH", 0.0)
    saved = save(source, 9)
    for event in saved[::3]:
        tamper(event.position, data="[")
    progress = []
    assert forward(source, target, on_progress=progress.append) == 6
    assert progress == [6]
    assert target.count_events() == 6


def test_a_target_that_lost_what_was_sent_is_noticed(source, target, capsys):
    """The alias means another store now; its checkpoint would leave the first events out."""
    save(source, 5)
    forward(source, target)
    save(source, 2)
    with override_settings(EVENT_STORES=STORES):  # an empty memory
        target = event_stores["memory"]
        with pytest.raises(EventStoreError, match=r"does not hold event .*--from-start"):
            forward(source, target)
        assert target.count_events() == 0
        call_command("forward_events", "default", "memory", "--from-start")
        assert contents(target) == contents(source)
        # With the checkpoint of the new one it goes on as ever.
        save(source, 1)
        assert forward(source, target) == 1


def test_a_source_that_moved_is_noticed(source, target):
    save(source, 2)
    forward(source, target)
    Consumer.objects.update(place="DatabaseEventStore('elsewhere')")
    with pytest.raises(ImproperlyConfigured, match="start once with --from-start"):
        forward(source, target)
    assert forward(source, target, from_start=True) == 2
    assert forward(source, target) == 0


def test_status_is_for_scripts_and_for_people(source, target, capsys):
    source.save_event(Event("a", "Old", timestamp=datetime.now(UTC) - timedelta(days=3)))
    call_command("forward_events", "default", "memory", "--status", "--format", "json")
    assert json.loads(capsys.readouterr().out)["lag_seconds"] == pytest.approx(3 * 86400, abs=600)
    call_command("forward_events", "default", "memory", "--status")
    assert "1 event left to send, the oldest saved 3 d ago." in capsys.readouterr().out
