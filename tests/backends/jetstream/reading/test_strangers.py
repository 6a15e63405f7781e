"""Others write to the stream, with nothing but NATS: well, badly, and on purpose badly."""

from __future__ import annotations

import gzip
import json
import uuid

import pytest

from django_eventstore import Event, ReplayError
from tests.support.jetstream import next_subject, open_store, publish, publish_raw, talk


@pytest.fixture
def store(any_nats_server):
    return open_store(any_nats_server.url, f"strangers-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def send(any_nats_server, store):
    """Publish to the actor's next subject, or to `subject`; return the sequence."""

    def send(raw, actor_id="order-1", subject=None, headers=None):
        store.setup()
        subject = subject or next_subject(store, actor_id)
        return publish(any_nats_server.url, subject, raw, headers).seq

    return send


def document(version, **fields):
    """Return an event as a stranger would write it."""
    return json.dumps(
        {
            "id": str(uuid.uuid4()),
            "event_type": "foreign",
            "version": version,
            "timestamp": "2026-01-31T12:00:00Z",
            "data": {"by": "a stranger"},
            **fields,
        }
    ).encode()


def test_an_external_writer_is_seen_and_built_upon(store, send):
    store.save_event(Event("order-1", "placed"))
    send(document(2, actor_id="order-1", metadata={"user_id": "7"}))
    assert store.get_latest_version("order-1") == 2
    send(document(5))
    saved = store.save_event(Event("order-1", "paid"))
    assert saved.version == 6
    events = store.get_events("order-1")
    assert [event.version for event in events] == [1, 2, 5, 6]
    assert [event.data for event in events][1:3] == [{"by": "a stranger"}] * 2
    assert events[1].user_id == "7"
    assert list(store.read_all()) == events
    assert store.count_events() == 4
    (actor,) = store.get_actors()
    assert (actor.latest_version, actor.event_count) == (6, 4)


def test_an_actor_that_only_others_write_to(store, send):
    for version in range(1, 6):
        send(document(version), "foreign-1")
    assert store.get_latest_version("foreign-1") == 5
    assert [event.version for event in store.get_events("foreign-1")] == [1, 2, 3, 4, 5]
    assert [event.version for event in store.get_events("foreign-1", 3, to_version=4)] == [3, 4]
    assert [e.version for e in store.get_events("foreign-1", limit=2, reverse=True)] == [5, 4]
    (actor,) = store.get_actors()
    assert (actor.actor_id, actor.latest_version, actor.event_count) == ("foreign-1", 5, 5)


def test_a_list_is_one_append_of_several_events(store, send):
    events = b"[" + document(1) + b"," + document(2) + b"]"
    send(events)
    send(gzip.compress(b"[" + document(3) + b"]"), headers={"Content-Encoding": "gzip"})
    assert [event.version for event in store.get_events("order-1")] == [1, 2, 3]
    assert store.count_events() == 3
    found = [store.get_event(event.position) for event in store.read_all()]
    assert [event.version for event in found] == [1, 2, 3]


def test_what_to_dict_makes_is_an_append(store, send):
    event = Event("order-1", "placed", {"n": 1}, version=1, metadata={"user_id": "7"})
    send(json.dumps(event.to_dict()).encode())
    (found,) = store.get_events("order-1")
    assert found.position is not None
    assert found.to_dict() | {"position": None} == event.to_dict()
    # And it is that event: saving it again finds it there.
    assert open_store(*store.options.servers, store.namespace).save_event(event) == found


MALFORMED = {
    "broken JSON": b'{"id": ',
    "not UTF-8": b'{"id": "\xff\xfe"}',
    "empty": b"",
    "no object": b"17",
    "an empty list": b"[]",
    "a missing id": json.dumps({"event_type": "x", "version": 2}).encode(),
    "a missing type": json.dumps({"id": "1", "version": 2}).encode(),
    "a missing version": json.dumps({"id": "1", "event_type": "x"}).encode(),
    "a version of the wrong type": document("2"),
    "a version too large": document(2**63),
    "an id of the wrong type": document(2, id=7),
    "data of the wrong type": document(2, data=[1]),
    "metadata of the wrong type": document(2, metadata={"user_id": 7}),
    "a time without an offset": document(2, timestamp="2026-01-31T12:00:00"),
    "another actor": document(2, actor_id="order-2"),
    "a repeated version": document(1),
    "a field that would be lost": document(2, colour="red"),
    "a list with one that is wrong": b"[" + document(2) + b"," + document(2) + b"]",
    "nested too deep": b"[" * 3000 + b"]" * 3000,
    "an infinite number": document(2, data={"n": 1e999}),
    "an integer of more than 64 bits": document(2, data={"n": 2**70}),
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_message_is_an_error_in_its_place(store, send, raw):
    store.save_event(Event("order-1", "placed"))
    sequence = send(raw)
    assert store.get_latest_version("order-1") == 1
    saved = store.save_event(Event("order-1", "paid"))
    assert saved.version == 2
    for other in (store, open_store(*store.options.servers, store.namespace)):
        result = other.get_events_with_errors("order-1")
        assert [event.version for event in result.events] == [1, 2]
        (error,) = result.errors
        assert error.position == sequence << 20
        assert error.raw == raw
        assert isinstance(error.error, Exception)
        everything = list(other.read_all_with_errors())
        assert [isinstance(item, ReplayError) for item in everything] == [False, True, False]
        assert other.get_latest_version("order-1") == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Eventstore-Append": "99 1 99"},
        {"Eventstore-Append": "99 1 99 12345"},
        {"Eventstore-Append": "nonsense"},
        {"Nats-Subject": "elsewhere", "Nats-Sequence": "7", "Nats-Time-Stamp": "never"},
        {"Content-Encoding": "gzip"},
        {"X": "\u00e9 \u4e16"},
    ],
)
def test_headers_that_lie_are_not_believed(store, send, headers):
    store.save_event(Event("order-1", "placed"))
    send(b'{"broken', headers=headers)
    assert store.get_latest_version("order-1") == 1
    assert store.save_event(Event("order-1", "paid")).version == 2
    result = store.get_events_with_errors("order-1")
    assert [event.version for event in result.events] == [1, 2]
    assert len(result.errors) == 1


def test_a_copy_of_one_of_our_own_messages_is_no_newer_version(any_nats_server, store, send):
    saved = [store.save_event(Event("order-1", "counted")) for _ in range(3)]
    store.save_event(Event("order-2", "counted", {"by": "us"}))

    async def read(connection):
        return await connection.jetstream().get_msg(
            store.stream_name, subject=f"{store.stream_name}.events.order-1.1"
        )

    # With all that we say of it, but for the id by which the server would know it again.
    ours = talk(any_nats_server.url, read)
    headers = {name: value for name, value in ours.headers.items() if name != "Nats-Msg-Id"}
    send(ours.data, "order-1", headers=headers)
    send(ours.data, "order-2", headers=headers)
    assert store.get_latest_version("order-1") == 3
    assert store.get_latest_version("order-2") == 1
    saved.append(store.save_event(Event("order-1", "counted")))
    result = store.get_events_with_errors("order-1")
    assert result.events == saved
    assert [event.version for event in saved] == [1, 2, 3, 4]
    assert len(result.errors) == 1
    assert len(store.get_events_with_errors("order-2").errors) == 1


@pytest.mark.parametrize("tail", ["7", "007", "0", "next", "-1", "99999999999999999999"])
def test_a_message_out_of_order_counts_for_nothing(any_nats_server, store, send, tail):
    saved = [store.save_event(Event("order-1", "counted")) for _ in range(2)]
    send(document(9), subject=f"{store.stream_name}.events.order-1.{tail}")
    assert store.get_latest_version("order-1") == 2
    fresh = open_store(*store.options.servers, store.namespace)
    assert fresh.get_latest_version("order-1") == 2
    saved += [
        fresh.save_event(Event("order-1", "counted")),
        store.save_event(Event("order-1", "c")),
    ]
    for reader in (store, fresh):
        result = reader.get_events_with_errors("order-1")
        assert result.events == saved
        assert [event.version for event in result.events] == [1, 2, 3, 4]
        # Older servers give an actor's appends by their numbers only.
        assert len(result.errors) == (any_nats_server.version >= (2, 11))
    items = list(store.read_all_with_errors())
    assert [item for item in items if isinstance(item, Event)] == saved
    assert isinstance(items[2], ReplayError)
    # Until the appends get there: what is in the way is passed over.
    saved += [store.save_event(Event("order-1", "counted")) for _ in range(6)]
    assert fresh.get_events("order-1") == saved
    assert fresh.get_latest_version("order-1") == 10


def test_a_subject_that_names_no_actor(store, send):
    saved = store.save_event(Event("order-1", "placed"))
    for token in ("%zz", "a%2", "%2e", "a%61"):
        send(document(1), subject=f"{store.stream_name}.events.{token}.1")
    assert list(store.read_all()) == [saved]
    errors = [item for item in store.read_all_with_errors() if isinstance(item, ReplayError)]
    assert len(errors) == 4
    assert all(error.actor_id is None for error in errors)
    assert [actor.actor_id for actor in store.get_actors()] == ["order-1"]


def test_removed_messages_are_no_error(any_nats_server, store):
    saved = store.save_events([Event("order-1", "counted")])
    saved += [store.save_event(Event("order-1", "counted", {"n": n})) for n in range(9)]

    async def remove(connection):
        for sequence in (1, 2, 3, 6):
            await connection.jetstream().delete_msg(store.stream_name, sequence)

    talk(any_nats_server.url, remove)
    left = [saved[n] for n in (3, 4, 6, 7, 8, 9)]
    assert store.get_events("order-1") == left
    assert store.get_events("order-1", limit=3) == left[:3]
    assert store.get_events("order-1", reverse=True) == left[::-1]
    assert list(store.read_all()) == left
    assert list(store.read_all(reverse=True)) == left[::-1]
    assert store.count_events() == 6
    assert [actor.actor_id for actor in store.get_actors()] == ["order-1"]
    assert store.save_event(Event("order-1", "counted")).version == 11


@pytest.mark.parametrize(
    "header_block",
    [
        b"NATS/1.0 503\r\n\r\n",
        b"NATS/1.0 404 Message Not Found\r\n\r\n",
        b"NATS/1.0 204 EOB\r\nNats-Num-Pending: 0\r\nNats-Last-Sequence: 2\r\n\r\n",
        b"NATS/1.0 xyz\r\n\r\n",
        b"\r\n",
    ],
)
@pytest.mark.parametrize("direct", [True, False])
def test_headers_that_look_like_a_status_of_the_server(any_nats_server, header_block, direct):
    namespace = f"strangers-{uuid.uuid4().hex[:8]}"
    store = open_store(any_nats_server.url, namespace, allow_direct=direct)
    store.save_event(Event("order-1", "placed"))
    subject = f"{store.stream_name}.events.order-1.2"
    publish_raw(any_nats_server, subject, header_block, document(2))
    publish_raw(any_nats_server, subject[:-1] + "3", header_block, b"no event")
    store.save_event(Event("order-1", "paid"))
    store.save_event(Event("order-2", "placed"))
    read = list(store.read_all_with_errors())
    assert [getattr(item, "version", None) for item in read] == [1, 2, None, 3, 1]
    result = store.get_events_with_errors("order-1")
    assert [event.version for event in result.events] == [1, 2, 3]
    assert len(result.errors) == 1
    assert store.count_events() == 5
    for order_by in ("actor_id", "last_position"):
        actors = store.get_actors(order_by=order_by)
        assert [actor.actor_id for actor in actors] == ["order-1", "order-2"]
