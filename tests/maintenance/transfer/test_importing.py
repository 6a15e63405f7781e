"""import_events: every event of a file once, and what is wrong with a line."""

from __future__ import annotations

import json

import pytest
from django.db import connection, reset_queries
from permits.generator import generate

from django_eventstore import Event, EventTooLargeError, event_stores
from django_eventstore.backends.memory import InMemoryEventStore, MemoryBackend
from django_eventstore.events.ndjson import Line, to_line
from django_eventstore.maintenance.transfer import import_events
from tests.maintenance.transfer.importing import import_file, without_positions
from tests.support.factories import application_history

GOOD = {
    "id": "e-1",
    "actor_id": "application-1",
    "event_type": "ApplicationSubmitted",
    "version": 1,
    "command_id": "",
    "timestamp": "2024-01-31T12:00:00.000000Z",
    "data": {"cost": 1e22, "applicant": "Çelik"},
    "metadata": {"user_id": "7"},
}


@pytest.fixture(params=["memory", pytest.param("default", marks=pytest.mark.django_db)])
def store(request, settings):
    """An empty store, by the alias ``store.alias``."""
    settings.EVENT_STORES = dict(settings.EVENT_STORES)  # a new memory
    return event_stores[request.param]


def test_every_event_equals_its_line(store, ndjson):
    events = [*application_history("application-1", notes=3), *application_history("ünï 2")]

    status, out, err = import_file(store, ndjson(*events))

    assert (status, err) == (0, "")
    assert out == "7 new events stored, 0 already stored, 0 bad lines.\n"
    assert without_positions(store.read_all()) == without_positions(events)


def test_a_second_run_adds_nothing_and_says_so(store, ndjson):
    file = ndjson(*application_history("application-1", notes=3))
    import_file(store, file)

    status, out, _ = import_file(store, file)

    assert status == 0
    assert out == "0 new events stored, 5 already stored, 0 bad lines.\n"
    assert store.count_events() == 5


def test_what_is_missing_is_added(store, ndjson):
    events = list(generate(30))
    store.save_events(events[:41])

    status, out, _ = import_file(store, ndjson(*events), batch_size=20)

    assert status == 0
    assert out.startswith(f"{len(events) - 41} new events stored, 41 already stored")
    assert without_positions(store.read_all()) == without_positions(events)


def test_events_without_versions_get_the_next_and_are_known_again(store, ndjson):
    first = {name: value for name, value in GOOD.items() if name != "version"}
    file = ndjson(*(json.dumps({**first, "id": name}).encode() + b"\n" for name in ("a", "b")))

    assert import_file(store, file)[0] == import_file(store, file)[0] == 0

    assert [(event.id, event.version) for event in store.read_all()] == [("a", 1), ("b", 2)]


def test_blank_lines_line_ends_and_a_byte_order_mark_are_no_matter(store, ndjson):
    line = json.dumps(GOOD).encode()
    second = json.dumps({**GOOD, "id": "e-2", "version": 2}).encode()
    file = ndjson(b"\xef\xbb\xbf" + line + b"\r\n", b"\n", b"  \t\r\n", second)

    assert import_file(store, file)[:2] == (
        0,
        "2 new events stored, 0 already stored, 0 bad lines.\n",
    )


def document(**fields):
    """Return the JSON of GOOD with these fields, as text."""
    return json.dumps({**GOOD, **fields})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("no json", ": is not JSON"),
        ('{"id": "e-1"', ": is not JSON"),
        (document() + " trailing", ": is not JSON"),
        (document() + document(), ": is not JSON"),
        ("[1, 2]", "event: must be a JSON object"),
        ("null", "event: must be a JSON object"),
        ('{"id":"a","id":"b"}', "holds the key 'id' twice"),
        (document(data={"a": 0}).replace('"a": 0', '"a": 0, "a": 1'), "the key 'a' twice"),
        (document(data={"n": 0}).replace('"n": 0', '"n": 1e400'), ": is not JSON"),
        (document(data={"n": 0}).replace('"n": 0', '"n": NaN'), ": is not JSON"),
        (document(data={"n": 0}).replace('"n": 0', '"n": "\\ud800"'), ": is not JSON"),
        (document(data={"n": 2**64}), "64 bits"),
        (document(data={"n": "a\x00b"}), "NUL"),
        (document(data=[]), "data: must be a JSON object"),
        (document(metadata={"user_id": 7}), "metadata['user_id']: must be text"),
        (document(version="1"), "version: must be an integer"),
        (document(version=0), "version: must be from 1"),
        (document(timestamp="2024-01-31T12:00:00"), "naive"),
        (document(timestamp="yesterday"), "not ISO 8601"),
        (document(actor_id=""), "actor_id: must not be empty"),
        (document(colour="red"), "colour: is no field"),
        ('{"actor_id": "a", "event_type": "b", "timestamp": "2024-01-31T12:00:00Z"}', "id: is mis"),
        ('{"id": "a", "actor_id": "a", "event_type": "b"}', "timestamp: is missing"),
        ("[" * 100_000, ": is not JSON"),
        (document(data={"n": "x" * 1_000_001}), "limit is 1,000,000"),
    ],
)
def test_a_bad_line_is_reported_and_nothing_of_its_batch_is_stored(store, ndjson, line, reason):
    good = [to_line(event) for event in application_history("application-2", notes=2)]
    file = ndjson(good[0], good[1], good[2], line.encode() + b"\n", good[3])

    status, out, err = import_file(store, file, batch_size=2)

    assert status == 1
    assert reason in err
    assert err.startswith("line 4: ")
    assert "\nStopped at line 4; nothing of its batch was stored." in err
    assert "2 new events stored" in out
    assert [event.version for event in store.read_all()] == [1, 2]

    status, out, err = import_file(store, file, on_error="skip", batch_size=2)

    assert status == 1
    assert out == "2 new events stored, 2 already stored, 1 bad line.\n"
    assert err.startswith("line 4: ")
    assert [event.version for event in store.read_all()] == [1, 2, 3, 4]


def test_text_that_is_not_utf_8_is_a_bad_line(store, ndjson):
    status, _, err = import_file(store, ndjson(b'{"id": "\xff"}\n'))

    assert status == 1
    assert "line 1: is not JSON" in err


def test_an_id_with_other_content_and_a_version_that_is_taken_are_bad_lines(store, ndjson):
    history = application_history("application-1", notes=3)
    store.save_events(history[:3])
    other = Event(
        **{**history[0].to_dict(), "event_type": "Other", "timestamp": history[0].timestamp}
    )
    rival = Event("application-1", "NoteAdded", version=2)
    file = ndjson(other, rival, history[3], history[4])

    status, out, err = import_file(store, file)
    assert status == 1
    assert "line 1: An event with id" in err
    assert '(event_type: "Other" != "ApplicationSubmitted")' in err
    assert store.count_events() == 3

    status, out, err = import_file(store, file, on_error="skip")
    assert status == 1
    assert "line 2: Version conflict for actor 'application-1'" in err
    assert out == "2 new events stored, 0 already stored, 2 bad lines.\n"
    assert [event.version for event in store.get_events("application-1")] == [1, 2, 3, 4, 5]


def test_lines_of_one_actor_out_of_order_are_told_apart(store, ndjson):
    one, two, three, four = application_history("application-1", notes=2)

    status, out, err = import_file(store, ndjson(one, three, two, four), on_error="skip")

    assert status == 1
    assert err.startswith("line 3: Version conflict")
    assert out.startswith("3 new events stored")


def test_the_same_event_twice_in_a_file_is_stored_once(store, ndjson):
    one, two = application_history("application-1")

    status, out, _ = import_file(store, ndjson(one, one, two, two, one))

    assert (status, out) == (0, "2 new events stored, 3 already stored, 0 bad lines.\n")


def test_a_dry_run_says_the_same_and_stores_nothing(store, ndjson):
    history = application_history("application-1", notes=3)
    store.save_events(history[:2])
    file = ndjson(*history, Event("application-1", "NoteAdded", version=1), b"nonsense\n")

    status, out, err = import_file(store, file, dry_run=True, on_error="skip")

    assert status == 1
    assert out == "3 new events would be stored, 2 already stored, 2 bad lines.\n"
    assert "line 6: Version conflict" in err
    assert "line 7: is not JSON" in err
    assert store.count_events() == 2


def test_a_namespace_of_its_own(store, ndjson):
    import_file(store, ndjson(*application_history("application-1")), namespace="elsewhere")

    assert store.count_events() == 0
    assert store.with_namespace("elsewhere").count_events() == 2


def test_a_store_of_single_actor_appends_gets_runs_of_one_actor():
    class SingleActorBackend(MemoryBackend):
        supports_multi_actor_append = False

    class SingleActorStore(InMemoryEventStore):
        backend_class = SingleActorBackend

    events = list(generate(20))
    store = SingleActorStore()

    report = import_events(store, [Line(number, event) for number, event in enumerate(events, 1)])

    assert (report.new, report.already_stored, report.bad) == (len(events), 0, 0)
    assert without_positions(store.read_all()) == without_positions(events)


def test_an_append_too_large_for_the_server_is_divided():
    class SmallBackend(MemoryBackend):
        def append(self, namespace, events, expected_version):
            if len(events) > 7:
                raise EventTooLargeError(len(events), 7)
            return super().append(namespace, events, expected_version)

    class SmallStore(InMemoryEventStore):
        backend_class = SmallBackend

    events = application_history("application-1", notes=40)
    store = SmallStore()

    report = import_events(store, [Line(number, event) for number, event in enumerate(events, 1)])

    assert (report.new, report.bad) == (42, 0)
    assert without_positions(store.read_all()) == without_positions(events)


@pytest.mark.django_db
def test_statements_are_not_kept_while_debugging(ndjson, settings):
    settings.DEBUG = True
    try:
        import_file(event_stores["default"], ndjson(*generate(60)), batch_size=5)

        assert len(connection.queries_log) < 20
    finally:
        reset_queries()
