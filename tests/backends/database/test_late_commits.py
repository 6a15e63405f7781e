"""A reader of the whole store misses nothing, whatever the order in which writers commit."""

from __future__ import annotations

import logging
import random
import threading
import time
from concurrent.futures import Future

import pytest
from django.contrib.auth.models import Group
from django.db import connections, transaction

from django_eventstore import Event
from django_eventstore.backends.database import fence, postgresql
from django_eventstore.backends.database.tables import EVENTS
from django_eventstore.models import EventRecord
from tests.support.database import (
    DEADLINE,
    SERVERS,
    execute,
    on,
    open_transaction,
    run_in_thread,
    store_on,
)

pytestmark = pytest.mark.usefixtures("own_namespace", "impatient")

WRITERS = 10
EVENTS_EACH = 50


def save(alias, actor_id):
    return store_on(alias).save_event(Event(actor_id, "happened"))


def positions(items):
    return [item.position for item in items]


@on(*SERVERS, transactions=True)
def test_an_earlier_position_that_commits_later_is_waited_for(alias, caplog):
    store = store_on(alias)
    first = save(alias, "before")
    with open_transaction(alias, lambda: save(alias, "slow")) as slow:
        fast = save(alias, "fast")
        assert slow.position < fast.position
        naive = EventRecord.objects.using(alias).filter(position__gt=first.position)
        assert [record.actor_id for record in naive] == ["fast"]

        with caplog.at_level(logging.WARNING, "django_eventstore"):
            assert list(store.read_all()) == [first]
        assert "open transactions" in caplog.text
        assert f"behind position {first.position} of {fast.position}" in caplog.text
        assert list(store.read_all(after=first.position)) == []
        assert list(store.read_all(after=first.position, actor_id="fast")) == []
        # Where nothing is passed over for good, it can be seen.
        assert store.get_events("fast") == [fast]
        assert list(store.read_all(reverse=True)) == [fast, first]
    assert list(store.read_all(after=first.position)) == [slow, fast]


@on(*SERVERS, transactions=True)
def test_a_batch_that_commits_later_is_waited_for(alias):
    store = store_on(alias)
    batch = [Event(f"actor-{number % 3}", "happened") for number in range(100)]
    with open_transaction(alias, lambda: store_on(alias).save_events(batch)) as slow:
        fast = save(alias, "fast")
        assert slow[-1].position < fast.position
        assert list(store.read_all()) == []
    assert list(store.read_all()) == [*slow, fast]


@on("mariadb", transactions=True)
def test_tidying_up_waits_for_no_open_transaction(alias, caplog):
    with connections[alias].cursor() as cursor:
        cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")
    before = save(alias, "before")
    with open_transaction(alias, lambda: save(alias, "slow")) as slow:
        fast = save(alias, "fast")
        for _ in range(50):  # one of which tidies up
            save(alias, "fast")
    connections[alias].close()
    assert caplog.text == ""
    assert [event.id for event in store_on(alias).read_all()][:3] == [before.id, slow.id, fast.id]


@on(*SERVERS, transactions=True)
def test_the_gap_of_a_rollback_holds_nobody_up(alias, caplog):
    store = store_on(alias)
    with open_transaction(alias, lambda: save(alias, "undone"), commit=False):
        kept = save(alias, "kept")
    with caplog.at_level(logging.WARNING, "django_eventstore"):
        assert list(store.read_all()) == [kept]
    assert caplog.text == ""


@on(*SERVERS, transactions=True)
def test_a_gap_older_than_the_open_transaction_is_passed_when_that_ends(alias):
    store = store_on(alias)
    with open_transaction(alias, lambda: save(alias, "undone"), commit=False):
        pass
    kept = save(alias, "kept")
    with open_transaction(alias, lambda: save(alias, "slow")) as slow:
        fast = save(alias, "fast")
    assert list(store.read_all()) == [kept, slow, fast]


@on(*SERVERS, transactions=True)
def test_an_unrelated_transaction_holds_nobody_up(alias, caplog):
    store = store_on(alias)

    def unrelated():
        Group.objects.using(alias).create(name="unrelated")
        return store_on(alias).get_latest_version("a")

    with open_transaction(alias, unrelated):
        with open_transaction(alias, lambda: save(alias, "undone"), commit=False):
            pass
        kept = save(alias, "kept")
        with caplog.at_level(logging.WARNING, "django_eventstore"):
            assert list(store.read_all()) == [kept]
        assert caplog.text == ""


@on(*SERVERS, transactions=True)
def test_a_transaction_that_began_early_and_saved_late(alias):
    store = store_on(alias)
    began, saved, go_on = threading.Event(), threading.Event(), threading.Event()

    def early():
        with transaction.atomic(alias):
            Group.objects.using(alias).create(name="the transaction has its number now")
            began.set()
            assert saved.wait(DEADLINE)
            late = save(alias, "early")
            assert go_on.wait(DEADLINE)
            return late

    future = run_in_thread(early)
    assert began.wait(DEADLINE)
    first = save(alias, "first")
    assert list(store.read_all()) == [first]
    saved.set()
    go_on.set()
    late = future.result(DEADLINE)
    assert list(store.read_all(after=first.position)) == [late]


@on(*SERVERS, transactions=True)
def test_what_lies_before_the_gap_is_read_while_it_is_open(alias):
    store = store_on(alias)
    before = [save(alias, f"before-{number}") for number in range(3)]
    with open_transaction(alias, lambda: save(alias, "slow")) as slow:
        after = save(alias, "after")
        assert list(store.read_all()) == before
        assert list(store.read_all(limit=2)) == before[:2]
    assert list(store.read_all()) == [*before, slow, after]


@on(*SERVERS, transactions=True)
def test_reading_inside_the_transaction_that_saves(alias):
    store = store_on(alias)
    with transaction.atomic(alias):
        own = save(alias, "own")
        other = run_in_thread(lambda: save(alias, "other")).result(DEADLINE)
        assert list(store.read_all()) == [own, other]
    save(alias, "later")
    assert [event.actor_id for event in store.read_all()] == ["own", "other", "later"]


def write_slowly(alias: str, number: int) -> list[str]:
    """Save events, each in a transaction that lingers before it commits; a few roll back."""
    dice = random.Random(number)
    store = store_on(alias)
    saved = []
    for count in range(EVENTS_EACH):
        event = Event(f"actor-{number}", "happened", {"n": count})
        with transaction.atomic(alias):
            store.save_event(event)
            time.sleep(dice.uniform(0, 0.01))
            if undone := dice.random() < 0.05:
                transaction.set_rollback(True, alias)
        if not undone:
            saved.append(event.id)
    return saved


@on(*SERVERS, transactions=True)
def test_readers_beside_many_slow_writers(alias, monkeypatch):
    monkeypatch.setattr(fence, "PATIENCE", 1.0)
    store = store_on(alias)
    writers: list[Future] = [
        run_in_thread(lambda number=number: write_slowly(alias, number))
        for number in range(WRITERS)
    ]
    read, naive = [], []
    while not all(future.done() for future in writers):
        read += store.read_all(after=read[-1].position if read else None)
        last = naive[-1][0] if naive else 0
        rows = EventRecord.objects.using(alias).filter(position__gt=last).order_by("position")
        naive += rows.values_list("position", "event_id")
    saved = {event_id for future in writers for event_id in future.result(DEADLINE)}
    read += store.read_all(after=read[-1].position if read else None)

    assert {event.id for event in read} == saved
    assert positions(read) == sorted(set(positions(read)))
    for number in range(WRITERS):
        versions = [event.version for event in read if event.actor_id == f"actor-{number}"]
        assert versions == sorted(versions)
    # The naive reader passes what commits behind it: this is what the fence is for.
    assert {event_id for _, event_id in naive} < saved


def count_announced_too_high(rounds):
    """Announce and take a position, over and over; return how often the position was not above.

    In the server, where a round takes microseconds: the moment to be met is as short.
    """
    sql = f"""
        DO $$ DECLARE announced bigint; bad int := 0; BEGIN
            FOR i IN 1..{rounds} LOOP
                announced := {postgresql._NEWEST_TAKEN};
                IF nextval('{EVENTS}_position_seq') <= announced THEN bad := bad + 1; END IF;
            END LOOP;
            PERFORM set_config('test.bad', bad::text, false);
        END $$
        """
    execute("postgres", sql)
    return int(execute("postgres", "SELECT current_setting('test.bad')")[0][0])


@on("postgres", transactions=True)
def test_what_is_announced_is_below_what_is_taken(alias):
    workers = [run_in_thread(lambda: count_announced_too_high(300_000)) for _ in range(3)]
    assert [worker.result(DEADLINE) for worker in workers] == [0, 0, 0]
