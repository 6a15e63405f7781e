"""Whatever stands in a file or on the wire: an event, or an error that says so. Never a crash."""

from __future__ import annotations

import io
import json
import random
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_eventstore import Event, InvalidEventError, ReplayError
from django_eventstore.backends.jetstream.codec import (
    compress,
    decode_checked,
    decode_own,
    encode,
    header_block,
)
from django_eventstore.backends.jetstream.stored import Mark, Stored
from django_eventstore.backends.memory import InMemoryEventStore
from django_eventstore.backends.values import NewEvent
from django_eventstore.events.event import check_event
from django_eventstore.events.ndjson import Line, read_ndjson, to_line
from django_eventstore.maintenance.transfer import import_events
from tests.properties import strategies as any_
from tests.support.every_store import Refused, outcome

FUZZ = settings(max_examples=150, deadline=None)
NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)

# Documents that are nearly right: each field may be missing, or anything.
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "actor_id": st.just("a") | any_.NAMES,
        "event_type": st.just("placed") | any_.NAMES,
        "id": st.just("1") | any_.NAMES,
        "version": st.integers(1, 3) | any_.VERSIONS,
        "command_id": any_.NAMES,
        "timestamp": st.just("2024-02-29T12:00:00Z") | any_.TEXTS | any_.JSON_VALUES,
        "data": any_.GOOD_DATA | any_.DATA,
        "metadata": any_.METADATA,
        "position": any_.VERSIONS,
        "more": any_.JSON_VALUES,
    },
)

# Wholly right, but for one field.
NEARLY = st.builds(
    lambda document, spoilt: {
        "event_type": "placed",
        "id": "1",
        "version": 1,
        "timestamp": "2024-02-29T12:00:00Z",
        **{name: value for name, value in document.items() if name == spoilt},
    },
    DOCUMENTS | st.just({"timestamp": "2024-02-29T12:00:00"}),
    st.sampled_from(["event_type", "id", "command_id", "timestamp", "data", "metadata"]),
)


@FUZZ
@given(document=DOCUMENTS | any_.JSON_VALUES | any_.NO_JSON)
def test_from_dict_gives_an_event_or_says_what_is_wrong(document):
    event = outcome(lambda: Event.from_dict(document))
    if isinstance(event, Refused):
        assert event.error is InvalidEventError
        assert event.attributes["field"]
        assert event.attributes["reason"]
        return
    again = event.to_dict()
    assert Event.from_dict(again) == event
    assert repr(Event.from_dict(again).to_dict()) == repr(again)


def spoil(raw: bytes, dice: random.Random) -> bytes:
    """Return `raw` with some of its bytes changed, taken out, doubled or put elsewhere."""
    spoiled = bytearray(raw)
    for _ in range(dice.choice([0, 0, 1, 1, 2, 8])):
        place = dice.randrange(len(spoiled) + 1)
        what = dice.randrange(5)
        if what == 0:
            spoiled[place:place] = dice.choice([b"\x00", b"\xff", b'"', b"{", b"]", b"\n", b"NaN"])
        elif what == 1:
            del spoiled[place : place + dice.randrange(1, 9)]
        elif what == 2:
            spoiled[place : place + 1] = bytes([dice.randrange(256)])
        elif what == 3:
            spoiled[place:place] = spoiled[: dice.randrange(1, 40)]
        else:
            spoiled[place:place] = b"1e999"
    return bytes(spoiled)


@st.composite
def files(draw):
    """A file of events of a few actors, some lines of which are spoiled, doubled or missing."""
    dice = draw(st.randoms(use_true_random=False))
    lines = []
    for number in range(draw(st.integers(0, 12))):
        version = draw(st.none() | st.integers(1, 6))
        event = Event(
            dice.choice("ab"), "placed", {"n": number}, version, f"{number}", timestamp=NOON
        )
        line = to_line(event)
        if dice.random() < 0.25:
            line = spoil(line, dice)
        lines += [line] * dice.choice([1, 1, 1, 1, 2])
    return b"".join(lines)


@FUZZ
@given(raw=files() | st.binary(max_size=200))
def test_a_file_is_read_line_by_line_whatever_it_holds(raw):
    for line in read_ndjson(io.BytesIO(raw)):
        if isinstance(line, Line):
            check_event(line.event)
            [again] = read_ndjson(io.BytesIO(to_line(line.event)))
            assert again.event == line.event
        else:
            assert line.reason


@FUZZ
@given(raw=files(), batch_size=st.integers(1, 5), skip_bad=st.booleans())
def test_an_import_stores_whole_batches_and_accounts_for_each_line(raw, batch_size, skip_bad):
    store = InMemoryEventStore()
    lines = list(read_ndjson(io.BytesIO(raw)))
    good = [line.event.id for line in lines if isinstance(line, Line)]
    bad = []

    report = import_events(
        store, lines, batch_size=batch_size, skip_bad=skip_bad, on_bad=bad.append
    )

    stored = [event.id for event in store.read_all()]
    assert report.new == len(stored) == len(set(stored))
    assert (report.bad, report.stopped) == (len(bad), bool(bad) and not skip_bad)
    if report.stopped:
        # All of the batches in front of the bad line's, and nothing of that one.
        whole = len(good) // batch_size * batch_size
        ends = range(0, whole + 1, batch_size)
        assert stored in [list(dict.fromkeys(good[:end])) for end in ends]
    else:
        assert report.new + report.already_stored + report.bad == len(lines)
        again = import_events(store, lines, batch_size=batch_size, skip_bad=True)
        assert again.new == 0
        assert [event.id for event in store.read_all()] == stored


@st.composite
def messages(draw):
    """A message of the stream: our own, spoiled, or a stranger's."""
    dice = draw(st.randoms(use_true_random=False))
    kind = draw(st.sampled_from(["own", "nearly", "document", "documents", "bytes"]))
    headers = draw(
        st.sampled_from(
            [
                b"",
                header_block([Mark(1, 1, 1).header("a.1")]),
                header_block([Mark(2, 2, 2).header("a.1"), b"Content-Encoding: gzip"]),
                header_block([b"Eventstore-Append: -1 x"]),
                header_block([b"Eventstore-Append: 1 1 1 1"]),
                header_block([b"Content-Encoding: gzip"]),
            ]
        )
    )
    if kind == "own":
        events = [Event("a", "placed", {"n": n}, id=f"{n}", timestamp=NOON) for n in range(2)]
        new = [NewEvent(event, json.dumps(event.data).encode(), b"{}") for event in events]
        lines, payload = encode("a.1", new, [1, 2], 0, 1_000_000)
        if dice.random() < 0.5:
            headers, payload = header_block([*lines, b"Content-Encoding: gzip"]), compress(payload)
        else:
            headers = header_block(lines)
    elif kind == "bytes":
        payload = draw(st.binary(max_size=60))
    else:
        kinds = {"nearly": NEARLY, "document": DOCUMENTS}
        document = draw(kinds.get(kind, st.lists(DOCUMENTS, max_size=3)))
        payload = json.dumps(document, default=str, skipkeys=True).encode()
    if kind != "nearly":
        payload = spoil(payload, dice)
    if dice.random() < 0.1:
        payload = zlib.compress(payload)
    subject = draw(st.sampled_from([b"events.events.a.1", b"events.events.%2E.2", b"x.y.z", b"a"]))
    return Stored(subject, draw(st.integers(1, 2**40)), b"2024-02-29T12:00:00Z", headers, payload)


@settings(FUZZ, max_examples=400)
@given(stored=messages(), above=st.integers(0, 2))
def test_a_message_is_events_or_an_error(stored, above):
    items = decode_checked(stored, "a", above)
    assert items
    own = decode_own(stored) or []
    for item in items:
        if not isinstance(item, ReplayError):
            check_event(item)
    for item in [*items, *own]:
        if isinstance(item, ReplayError):
            assert (item.raw, item.position >> 20) == (stored.data, stored.sequence)
            assert str(item)
        else:
            assert item.timestamp.tzinfo is UTC
            assert (item.actor_id, item.position >> 20) == ("a", stored.sequence)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timestamp", "2024-02-29T12:00:00"),
        ("timestamp", "2024-02-29T12:00:00+01:00"),
        ("timestamp", None),
        ("command_id", 7),
        ("data", []),
        ("metadata", None),
        ("version", True),
        ("id", 1),
    ],
)
def test_what_claims_to_be_ours_and_is_not_as_we_write_it_is_checked_like_anybody_else_s(
    field, value
):
    document = {
        "event_type": "placed",
        "id": "1",
        "version": 1,
        "timestamp": "2024-02-29T12:00:00Z",
    }
    mark = header_block([Mark(1, 1, 1).header("a.1")])
    wrong = {**document, field: value}

    def stored(subject, document):
        return Stored(subject, 1, b"", mark, json.dumps(document).encode())

    assert len(decode_own(stored(b"e.events.a.1", document))) == 1
    assert decode_own(stored(b"e.events.a.1", wrong)) is None
    # A copy of what is ours, at another place.
    assert decode_own(stored(b"e.events.a.2", document)) is None
    assert decode_own(stored(b"e.events.b.1", document)) is None
