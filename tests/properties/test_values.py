"""Whatever is put into an event, all stores refuse it alike, or give it back as it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from django_eventstore import Event, InvalidEventError, Snapshot
from django_eventstore.events.namespaces import sanitise_namespace
from tests.properties import strategies as any_
from tests.support.every_store import DATABASES, Refused, form, fresh_namespace, outcome

pytestmark = pytest.mark.django_db(transaction=True, databases=DATABASES)

# Each example works in a namespace of its own.
PROPERTY = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)


def agreed(results: dict) -> object:
    """Return the outcome, the same in all stores."""
    forms = {name: form(result) for name, result in results.items()}
    assert all(each == forms["memory"] for each in forms.values()), forms
    return results["memory"]


def save_everywhere(stores, namespace, *events, **options):
    return agreed(
        {
            name: outcome(
                lambda: store.with_namespace(namespace).save_events(events, **options)  # noqa: B023
            )
            for name, store in stores.items()
        }
    )


def check_alike(stores, event):
    """Save `event` in all stores; check that it is refused by all, or comes back as it was."""
    namespace = fresh_namespace()
    saved = save_everywhere(stores, namespace, event)
    if isinstance(saved, Refused):
        assert issubclass(saved.error, InvalidEventError), saved
        for store in stores.values():
            assert store.with_namespace(namespace).count_events() == 0
        return
    expected = {
        "id": event.id,
        "actor_id": event.actor_id,
        "event_type": event.event_type,
        "version": event.version or 1,
        "command_id": event.command_id,
        "timestamp": event.timestamp.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z",
        # By another implementation of JSON than the stores'.
        "data": json.loads(json.dumps(event.data)),
        "metadata": dict(event.metadata),
    }
    for name, store in stores.items():
        store = store.with_namespace(namespace)
        [stored] = store.get_events(event.actor_id)
        assert form(stored) == repr(expected), name
        assert form(store.get_event(stored.position)) == repr(expected), name
        assert form(store.get_event_by_id(event.id)) == repr(expected), name
        assert form(list(store.read_all())) == [repr(expected)], name
        assert store.save_event(event) == stored, name
        [actor] = store.get_actors()
        assert (actor.actor_id, actor.latest_version) == (event.actor_id, stored.version), name


@PROPERTY
@given(actor_id=any_.NAMES)
def test_actor_ids(stores, actor_id):
    check_alike(stores, Event(actor_id, "placed", timestamp=NOON))


@PROPERTY
@given(event_type=any_.NAMES, event_id=any_.NAMES, command_id=any_.NAMES)
def test_event_types_and_ids(stores, event_type, event_id, command_id):
    check_alike(stores, Event("a", event_type, id="1", timestamp=NOON))
    check_alike(stores, Event("a", "b", id=event_id, command_id=command_id, timestamp=NOON))


@PROPERTY
@given(data=any_.DATA)
@example(data={"-0": -0.0, "0": 0.0, "1": 1, "1.0": 1.0, "true": True, "e": 1e22, "i": 10**22})
@example(data={"b": 1, "a": {"z": 1, "y": 2}, "": None})
@example(data=any_.nested(200, "list"))
@example(data=any_.nested(201, "dict"))
def test_data(stores, data):
    check_alike(stores, Event("a", "placed", data, id="1", timestamp=NOON))


@PROPERTY
@given(metadata=any_.METADATA)
def test_metadata(stores, metadata):
    check_alike(stores, Event("a", "placed", metadata=metadata, id="1", timestamp=NOON))


@PROPERTY
@given(timestamp=any_.TIMESTAMPS)
def test_timestamps(stores, timestamp):
    check_alike(stores, Event("a", "placed", id="1", timestamp=timestamp))


@PROPERTY
@given(version=any_.VERSIONS, expected=any_.VERSIONS)
def test_versions(stores, version, expected):
    check_alike(stores, Event("a", "placed", version=version, id="1", timestamp=NOON))
    save_everywhere(
        stores,
        fresh_namespace(),
        Event("a", "placed", id="1", timestamp=NOON),
        expected_version=expected,
    )


@PROPERTY
@given(actor_ids=st.lists(any_.GOOD_NAMES, min_size=2, max_size=5, unique=True))
@example(actor_ids=["é", "e\u0301", "e", "E", "e ", "ｅ"])
@example(actor_ids=["a.b", "a b", "a*b", "a%2Eb", "a_b", "a>b"])
def test_different_actors_are_never_one(stores, actor_ids):
    namespace = fresh_namespace()
    for name, store in stores.items():
        store = store.with_namespace(namespace)
        for number, actor_id in enumerate(actor_ids):
            store.save_event(Event(actor_id, "placed", {"n": number}), expected_version=0)
        for number, actor_id in enumerate(actor_ids):
            assert [event.data["n"] for event in store.get_events(actor_id)] == [number], name
        assert [actor.actor_id for actor in store.get_actors()] == sorted(actor_ids), name


@PROPERTY
@given(name=any_.NAMES, other=any_.GOOD_NAMES)
@example(name="a.b", other="a b")
@example(name="a", other="A")
@example(name="é", other="e")
def test_namespaces_are_refused_alike_or_share_nothing(stores, name, other):
    prefix = fresh_namespace()  # the examples of one run share the stores
    names = [
        f"{prefix}{each}" if isinstance(each, str) and each else each for each in (name, other)
    ]
    opened = {
        store_name: [outcome(lambda: store.with_namespace(each)) for each in names]  # noqa: B023
        for store_name, store in stores.items()
    }
    agreed(
        {
            store_name: [None if not isinstance(each, Refused) else each for each in pair]
            for store_name, pair in opened.items()
        }
    )
    assume(names[0] != names[1] and not any(isinstance(each, Refused) for each in opened["memory"]))
    assume("" not in names)
    alike = sanitise_namespace(names[0]) == sanitise_namespace(names[1])
    for store_name, (one, two) in opened.items():
        saved = one.save_event(Event("a", "placed", id="1"))
        refused = outcome(lambda: two.save_event(Event("a", "paid", id="1")))  # noqa: B023
        if isinstance(refused, Refused):
            # Where names are cut down to what a server holds, two of them may be told apart only
            # by refusing the second.
            assert store_name == "jetstream"
            assert alike
        else:
            assert [event.event_type for event in two.read_all()] == ["paid"], store_name
            assert two.count_events() == 1, store_name
        assert list(one.read_all()) == [saved], store_name


@PROPERTY
@given(version=any_.VERSIONS, state=any_.JSON_VALUES | any_.DATA, timestamp=any_.TIMESTAMPS)
def test_snapshots(stores, version, state, timestamp):
    for snapshot in (
        Snapshot("a", 1, state, NOON),
        Snapshot("a", version, None, NOON),
        Snapshot("a", 1, {}, timestamp),
    ):
        namespace = fresh_namespace()
        results = {}
        for name, store in stores.items():
            store = store.with_namespace(namespace)
            saved = outcome(lambda: store.save_snapshot(snapshot))  # noqa: B023
            found = store.get_latest_snapshot("a")
            if isinstance(saved, Refused):
                assert found is None, name
                results[name] = saved
            else:
                document = found.to_dict()
                del document["position"]
                assert repr(document["state"]) == repr(json.loads(json.dumps(snapshot.state))), name
                results[name] = document
        agreed(results)


@PROPERTY
@example(arguments={}, selection={}, listing={"limit": 2**63 - 1}, actor_id="a")
@given(
    arguments=st.fixed_dictionaries(
        {},
        optional={
            "from_version": any_.VERSIONS.filter(lambda version: version is not None),
            "to_version": any_.VERSIONS,
            "limit": any_.VERSIONS,
            "reverse": st.booleans(),
        },
    ),
    selection=st.fixed_dictionaries(
        {},
        optional={
            "after": any_.VERSIONS,
            "before": any_.VERSIONS,
            "limit": any_.VERSIONS,
            "event_types": st.none() | st.lists(any_.NAMES, max_size=3) | any_.NAMES,
            "actor_id": st.none() | any_.NAMES,
            "correlation_id": st.none() | any_.NAMES,
            "since": st.none() | any_.TIMESTAMPS,
            "until": st.none() | any_.TIMESTAMPS,
        },
    ),
    listing=st.fixed_dictionaries(
        {},
        optional={
            "search": any_.NAMES,
            "limit": any_.VERSIONS,
            "order_by": st.just("actor_id") | any_.NAMES,
            "cursor": any_.NAMES,
        },
    ),
    actor_id=any_.NAMES,
)
def test_questions(stores, arguments, selection, listing, actor_id):
    """An empty namespace answers every question with nothing, or all refuse the question alike."""
    namespace = fresh_namespace()
    questions = [
        lambda store: store.get_events("a", **arguments),
        lambda store: store.get_events(actor_id),
        lambda store: store.get_latest_version(actor_id),
        lambda store: store.get_latest_snapshot(actor_id, max_version=arguments.get("limit")),
        lambda store: store.replay(actor_id, lambda state, event: state, 0).state,
        lambda store: list(store.read_all(**selection)),
        lambda store: store.get_event(selection.get("after", 1)),
        lambda store: store.get_event_by_id(actor_id),
        lambda store: list(store.get_actors(**listing)),
    ]
    for question in questions:
        agreed(
            {
                name: outcome(lambda: question(store.with_namespace(namespace)))  # noqa: B023
                for name, store in stores.items()
            }
        )


@pytest.mark.parametrize("size", [999_000, 1_000_000, 1_000_001])
def test_sizes(stores, size):
    data = {"text": "x" * (size - len('{"text":""}{}'))}
    check = save_everywhere(
        stores, fresh_namespace(), Event("a", "placed", data, id="1", timestamp=NOON)
    )
    assert isinstance(check, Refused) == (size > 1_000_000)
