"""A rebuild makes new tables beside the live ones, and puts them in place at one moment."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from django_eventstore import Event, event_stores
from django_eventstore.exceptions import ConsumerReplaced
from django_eventstore.models import Consumer
from django_eventstore.projections import ProjectionWorker, get_projection
from django_eventstore.projections.rebuild import Rebuild
from django_eventstore.workers.leases import ShardLeases
from tests.servers.databases import child_environment
from tests.support.database import ALL, on_each
from tests.support.projections.models import Entry, Tag
from tests.support.projections.workers import LEASE


@pytest.fixture(params=on_each(*ALL, transactions=True))
def alias(request):
    yield request.param
    connection = connections[request.param]
    tables = connection.introspection.table_names()
    for consumer in Consumer.objects.using(request.param).filter(name__startswith="journal"):
        Rebuild(get_projection(consumer.name)).discard()
    assert not [table for table in connection.introspection.table_names() if "__g" in table], tables


@pytest.fixture
def journal(alias, monkeypatch):
    projection = get_projection(f"journal-{alias}")
    monkeypatch.setattr(type(projection), "note", "")
    return projection


def save(alias, count):
    for n in range(count):
        event_stores[alias].save_event(Event(f"actor-{n % 5}", "Happened", {"n": n}))


def run(projection, **options):
    return ProjectionWorker(projection, once=True, lease=LEASE, **options).run()


def notes(alias):
    """Return what readers see: the notes, oldest event first."""
    return list(Entry.objects.using(alias).order_by("position").values_list("note", flat=True))


def names_in_database(alias):
    """Return the names of the tables' indexes and constraints, as migrations look for them."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Entry._meta.db_table)
    return {name for name in found if name.startswith("entry_")}


def rebuild(projection, **options):
    return Rebuild(projection, lease=LEASE).run(**options)


def test_an_equal_rebuild_says_so_and_is_put_in_place(alias, journal):
    save(alias, 20)
    run(journal)
    before = names_in_database(alias)
    report = rebuild(journal)
    assert (report.finished, report.swapped, report.live_lag) == (True, True, 0)
    assert [(table.model, table.equal, table.new_rows) for table in report.tables] == [
        ("projections.Entry", True, 20),
        ("projections.Tag", True, 20),
    ]
    assert names_in_database(alias) == before
    save(alias, 5)
    assert run(journal) == 5
    assert len(notes(alias)) == 25
    # Again: no name of tables or indexes is in the way.
    assert rebuild(journal).swapped
    assert names_in_database(alias) == before
    assert Tag.objects.using(alias).filter(entry__actor_id="actor-0").count() == 5


def test_what_differs_is_named_and_can_be_rolled_back(alias, journal):
    save(alias, 6)
    run(journal)
    type(journal).note = "new"
    report = rebuild(journal, swap=False)
    assert not report.swapped
    entries, tags = report.tables
    assert (entries.only_live, entries.only_new, entries.live_rows) == (6, 6, 6)
    assert {example["note"] for example in entries.examples} == {"", "new"}
    assert tags.equal
    assert notes(alias) == [""] * 6
    save(alias, 2)
    assert rebuild(journal).swapped
    assert notes(alias) == ["new"] * 8
    save(alias, 1)
    run(journal)
    type(journal).note = ""
    assert Rebuild(journal, lease=LEASE).roll_back().swapped
    # What was saved since is in the former tables, too.
    assert notes(alias) == [""] * 9
    save(alias, 1)
    assert run(journal) == 1
    assert notes(alias) == [""] * 10


def test_an_empty_store_ends(alias, journal):
    report = rebuild(journal)
    assert (report.finished, report.swapped) == (True, True)
    save(alias, 3)
    assert run(journal) == 3
    assert notes(alias) == [""] * 3


def test_a_stopped_rebuild_goes_on_where_it_was(alias, journal, monkeypatch):
    applied = []
    stop = threading.Event()
    apply = type(journal).apply

    def stop_at_the_fourth(self, event):
        apply(self, event)
        applied.append(event.position)
        if len(applied) == 4:
            stop.set()

    monkeypatch.setattr(type(journal), "apply", stop_at_the_fourth)
    # More than are read at a time: between those it looks whether it is to stop.
    events = [Event(f"actor-{n % 5}", "Happened", {"n": n}) for n in range(510)]
    event_stores[alias].save_events(events)
    assert not Rebuild(journal, stop=stop, lease=LEASE).run().finished
    assert notes(alias) == []
    assert rebuild(journal).swapped
    assert notes(alias) == [""] * 510
    assert len(applied) == 510


def test_readers_see_the_old_rows_until_the_new_ones_are_complete(alias, journal, monkeypatch):
    save(alias, 10)
    run(journal)
    table = Entry._meta.db_table
    seen = set()

    def look(self, event):
        with connections[alias].cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM {table}")
            seen.add(cursor.fetchone()[0])

    monkeypatch.setattr(type(journal), "apply", look)
    rebuild(journal, swap=False)
    assert seen == {10}


def test_live_workers_go_on_in_the_new_generation(alias, journal):
    """A worker that lives through a swap cannot go on at the old checkpoint."""
    save(alias, 4)
    worker = ProjectionWorker(journal, lease=LEASE)
    with worker.leases.membership():
        worker.balance()
        worker.work()
        assert rebuild(journal).swapped
        save(alias, 4)
        worker.leases.forget()
        with pytest.raises(ConsumerReplaced):
            worker.balance()
    assert run(journal) == 4
    assert len(notes(alias)) == 8


@pytest.mark.django_db(transaction=True)
@override_settings(EVENT_STORES=settings.EVENT_STORES)  # the memory store starts empty
def test_a_projection_moves_to_another_store_by_a_rebuild(monkeypatch):
    journal = get_projection("journal-default")
    memory = event_stores["memory"]
    memory.save_events([Event("padding", "Happened")])
    save("default", 4)
    run(journal)
    for event in event_stores["default"].read_all():
        memory.save_event(replace(event, position=None))
    monkeypatch.setattr(type(journal), "store", "memory")
    with pytest.raises(ImproperlyConfigured, match="rebuild it"):
        run(journal)
    report = rebuild(journal)
    assert report.swapped
    assert len(notes("default")) == 5
    memory.save_event(Event("actor-0", "Happened"))
    assert run(journal) == 1
    Rebuild(journal).discard()


@pytest.mark.django_db(databases=["default", "mariadb"], transaction=True)
@pytest.mark.parametrize("renamed", [False, True])
def test_a_swap_that_was_broken_off_is_finished(renamed, monkeypatch):
    """MariaDB cannot rename and write in one transaction: a crash may come in between."""
    alias = "mariadb"
    journal = get_projection("journal-mariadb")
    save(alias, 5)
    run(journal)
    monkeypatch.setattr(type(journal), "note", "new")
    rebuilding = Rebuild(journal, lease=LEASE)
    swap = rebuilding.tables.swap

    class Crash(BaseException):
        pass

    def crash(live, other):
        if renamed:
            swap(live, other)
        else:
            connections[alias].connection.commit()
        raise Crash

    monkeypatch.setattr(rebuilding.tables, "swap", crash)
    with pytest.raises(Crash):
        rebuilding.run()
    with pytest.raises(ImproperlyConfigured, match="broken off"):
        run(journal)
    report = rebuild(journal, swap=not renamed)
    assert notes(alias) == ["new"] * 5
    save(alias, 1)
    assert run(journal) == 1
    assert notes(alias) == ["new"] * 6
    assert report.finished
    Rebuild(journal).discard()


@pytest.mark.django_db(transaction=True)
def test_the_command_builds_in_several_processes(capsys, monkeypatch):
    for variable, value in child_environment().items():
        monkeypatch.setenv(variable, value)
    save("default", 50)
    call_command("run_projections", "journal-default", "--once", "--lease-seconds", "1")
    call_command(
        *("rebuild_projection", "journal-default", "--workers", "2", "--lease-seconds", "1")
    )
    output = capsys.readouterr().out
    assert "projections.Entry: 50 rows live, 50 new; equal" in output
    assert "The new tables are live now." in output
    call_command("rebuild_projection", "journal-default", "--rollback", "--lease-seconds", "1")
    assert "50 rows live, 50 former; equal" in (output := capsys.readouterr().out)
    assert "The former tables are live now." in output
    assert len(notes("default")) == 50
    call_command("rebuild_projection", "journal-default", "--discard")


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_rebuilt_says_why():
    class WithoutModels(type(get_projection("journal-default"))):
        models = ()

    with pytest.raises(ImproperlyConfigured, match="names no models"):
        Rebuild(WithoutModels())

    class WithoutTags(type(get_projection("journal-default"))):
        models = (Entry,)

    with pytest.raises(ImproperlyConfigured, match=r"projections.Tag.entry refers to"):
        Rebuild(WithoutTags())
    with pytest.raises(ImproperlyConfigured, match="no former tables"):
        Rebuild(get_projection("journal-default")).roll_back()


@pytest.mark.django_db(transaction=True)
def test_building_tells_how_far_it_is():
    """The bar is told the position up to which everything is applied, and where that ends."""
    save("default", 20)
    last = list(event_stores["default"].read_all())[-1].position
    journal = get_projection("journal-default")
    told = []
    rebuild = Rebuild(journal, on_progress=lambda position, end: told.append((position, end)))
    try:
        # The builder waits for a while for the shards of one that seems to be alive.
        rebuild._building()
        building = Consumer.objects.get(name="journal-default", status="building")
        other = ShardLeases(building, lease=LEASE)
        other._register()
        other.balance()
        rebuild.run(swap=False)
    finally:
        rebuild.discard()
    assert {end for _, end in told} == {last}
    assert all(0 <= position <= last for position, _ in told)
