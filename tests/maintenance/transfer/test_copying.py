"""copy_events: the same events in another store."""

from __future__ import annotations

import json

import pytest

from django_eventstore import Event
from django_eventstore.events.upcasting import register_upcaster, unregister_upcaster
from tests.maintenance.transfer.importing import without_positions
from tests.servers.process import wait_until
from tests.support.commands import run
from tests.support.database import tamper

pytestmark = pytest.mark.django_db


def test_a_copy_is_equal_and_a_second_run_adds_nothing(store, copied):
    assert without_positions(copied.read_all()) == without_positions(store.read_all())

    ended = run("copy_events", "default", "default", to_namespace="copy", format="json")

    assert ended.status == 0
    count = store.count_events()
    shown = json.loads(ended.out)
    assert (shown["new"], shown["already_stored"], shown["bad"]) == (0, count, 0)
    assert (shown["compared"], shown["found"]) == (count, {})
    assert shown["position"] == list(store.read_all())[-1].position


def test_a_copy_holds_what_is_stored_and_not_what_upcasters_make_of_it(store):
    register_upcaster("FeePaid", 1, lambda event: 1 / 0)
    try:
        ended = run("copy_events", "default", "default", to_namespace="copy")
        assert ended.status == 0
    finally:
        unregister_upcaster("FeePaid", 1)
    copied = store.with_namespace("copy")
    assert without_positions(copied.read_all()) == without_positions(store.read_all())


def test_a_dry_run_copies_nothing(store):
    ended = run("copy_events", "default", "default", to_namespace="copy", dry_run=True)

    assert ended.status == 0
    assert f"{store.count_events()} events would be copied" in ended.out
    assert store.with_namespace("copy").count_events() == 0


def test_a_malformed_event_stops_a_copy_or_is_left_out(store):
    events = list(store.read_all())
    spoilt = events[50]
    tamper(spoilt.position, data="[")

    ended = run("copy_events", "default", "default", to_namespace="copy", batch_size=20)
    assert ended.status == 1
    assert f"position {spoilt.position}: is malformed" in ended.err
    assert store.with_namespace("copy").count_events() == 40

    ended = run("copy_events", "default", "default", to_namespace="copy", on_error="skip")
    assert ended.status == 1
    assert f"missing: actor '{spoilt.actor_id}'" not in ended.err  # it cannot be told apart
    assert f"malformed: actor '{spoilt.actor_id}', position {spoilt.position}" in ended.err
    assert store.with_namespace("copy").count_events() == len(events) - 1


def test_a_copy_that_stops_says_behind_which_position_to_go_on(store):
    events = list(store.read_all())
    place, refused = next(
        (place, event) for place, event in enumerate(events) if place > 40 and event.version == 1
    )
    copy = store.with_namespace("copy")
    copy.save_event(Event(refused.actor_id, "SomethingElse"))

    ended = run(
        "copy_events", "default", "default", to_namespace="copy", batch_size=20, format="json"
    )

    assert ended.status == 1
    assert f"position {refused.position}: " in ended.err
    copied = place // 20 * 20  # whole batches
    assert copy.count_events() == copied + 1
    assert json.loads(ended.out)["position"] == events[copied - 1].position


def test_a_store_is_not_copied_onto_itself(store):
    ended = run("copy_events", "default", "default")

    assert (ended.status, ended.err) == (2, "FROM and TO are the same store and namespace.")


def test_a_copy_that_is_killed_goes_on_where_it_stopped(seeded_project):
    before = seeded_project.count()
    copy = ("copy_events", "default", "default", "--to-namespace", "copy")
    process = seeded_project.start(*copy, "--batch-size", "50")
    wait_until(lambda: seeded_project.count() > before, "events are copied")
    process.kill()
    process.communicate()

    done = seeded_project.run(*copy)

    assert done.returncode == 0
    assert b"both stores hold the same" in done.stdout
    assert seeded_project.count() == 2 * before
