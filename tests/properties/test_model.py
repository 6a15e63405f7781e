"""Random sequences of operations: every store does what the model does, step by step."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from django_eventstore import Event, Snapshot, event_metadata
from django_eventstore.backends.values import ACTOR_ORDERINGS
from django_eventstore.store import MUST_EXIST
from tests.properties import model
from tests.support.every_store import DATABASES, Refused, form, fresh_namespace, outcome

pytestmark = pytest.mark.django_db(transaction=True, databases=DATABASES)

# More for a long night: EVENTSTORE_MODEL_EXAMPLES=500 pytest tests/properties/test_model.py
EXAMPLES = int(os.environ.get("EVENTSTORE_MODEL_EXAMPLES", "6"))
START = datetime(2024, 2, 29, 12, tzinfo=UTC)
ACTORS = st.sampled_from(["order-1", "Order-1", "order-1 ", "a.b", "é", "*"])
TYPES = st.sampled_from(["placed", "paid", "Placed", "a.b"])
CORRELATIONS = st.sampled_from(["c", "C", "c ", "é"])
MOMENTS = st.integers(0, 5).map(lambda hours: START + timedelta(hours=hours))
DATA = st.sampled_from([{}, {"n": 1}, {"n": 1.0}, {"n": True}, {"b": -0.0, "a": [1e22, 10**18]}])
# Around where the actor is: -1 and 0 conflict, 1 is the next, 4 leaves a gap.
DISTANCES = st.none() | st.sampled_from([-1, 0, 1, 1, 1, 4])
EXPECTATIONS = st.none() | st.sampled_from([-1, 0, 0, 0, 1, "absent", MUST_EXIST])
SYNC = st.booleans()
ids = st.integers(1, 10**9).map(lambda number: f"id-{number}")

NEW = st.builds(
    dict,
    actor_id=ACTORS,
    event_type=TYPES,
    data=DATA,
    id=ids,
    command_id=st.sampled_from(["", "cmd-1"]),
    metadata=st.fixed_dictionaries({}, optional={"correlation_id": CORRELATIONS}),
    timestamp=MOMENTS,
    distance=DISTANCES,
)


def call(store: Any, asynchronous: bool, method: str, *args: Any, **kwargs: Any) -> Any:
    """Call `method` or its asynchronous twin; an iterator's items come as a list."""
    if not asynchronous:
        result = getattr(store, method)(*args, **kwargs)
        return list(result) if hasattr(result, "__next__") else result

    async def twin() -> Any:
        result = getattr(store, f"a{method}")(*args, **kwargs)
        return [item async for item in result] if hasattr(result, "__anext__") else await result

    return async_to_sync(twin)()


def collect(state: list, event: Event) -> list:
    return [*state, [event.version, event.event_type]]


class SideBySide(RuleBasedStateMachine):
    """All stores and a model, each with two namespaces."""

    stores: dict[str, Any]

    @initialize()
    def start(self) -> None:
        names = [fresh_namespace(), fresh_namespace()]
        self.models = [model.Model(), model.Model()]
        self.opened = [
            {name: store.with_namespace(each) for name, store in self.stores.items()}
            for each in names
        ]
        # model's index of an event -> where each store has it
        self.positions: list[dict[str, list[int]]] = [
            {name: [] for name in self.stores} for _ in names
        ]

    # -- comparing

    def compare(self, space: int, expected: Any, ask: Any) -> dict[str, Any]:
        """Ask every store, and compare with what the model says; return the answers."""
        answers = {}
        for name, store in self.opened[space].items():
            answer = outcome(lambda: ask(store))  # noqa: B023
            answers[name] = answer
            if isinstance(expected, Refused):
                assert isinstance(answer, Refused), (name, answer, expected)
                shown = {key: answer.attributes.get(key) for key in expected.attributes}
                assert (answer.error, shown) == (expected.error, expected.attributes), name
            else:
                assert form(answer) == form(expected), name
        return answers

    def save(self, space: int, asynchronous: bool, events: list[Event], expected: Any) -> None:
        with_several = len({event.actor_id for event in events}) > 1
        stores = self.stores.values()
        if with_several and not all(s.backend.supports_multi_actor_append for s in stores):
            return
        known = self.models[space]
        if not self.ids_are_comparable(known, events):
            return
        size = len(known.log)
        told = "must exist" if expected is MUST_EXIST else expected
        result = known.save(events, told)
        answers = self.compare(
            space,
            result,
            lambda store: call(
                store, asynchronous, "save_events", events, expected_version=expected
            ),
        )
        if len(known.log) > size:
            for name, saved in answers.items():
                self.positions[space][name] += [event.position for event in saved]

    def ids_are_comparable(self, known: model.Model, events: list[Event]) -> bool:
        """Whether all stores promise the same: not all find an id in another actor at any time."""
        owners = {event.id: event.actor_id for event in known.log}
        return all(store.backend.supports_unique_ids for store in self.stores.values()) or all(
            owners.get(event.id, event.actor_id) == event.actor_id for event in events
        )

    def make(self, space: int, drawn: dict[str, Any]) -> Event:
        fields = dict(drawn)
        distance = fields.pop("distance")
        if distance is not None:
            version = self.models[space].latest(fields["actor_id"]) + distance
            fields["version"] = version if version > 0 else None
        return Event(**fields)

    def expectation(self, space: int, actor_id: str, drawn: Any) -> Any:
        if drawn == "absent":
            return 0
        if isinstance(drawn, int):
            return max(0, self.models[space].latest(actor_id) + drawn)
        return drawn

    # -- saving

    @rule(space=st.integers(0, 1), twin=SYNC, drawn=NEW, expected=EXPECTATIONS)
    def save_one(self, space, twin, drawn, expected):
        event = self.make(space, drawn)
        self.save(space, twin, [event], self.expectation(space, event.actor_id, expected))

    @rule(
        space=st.integers(0, 1),
        twin=SYNC,
        drawn=st.lists(NEW, max_size=5),
        actor_id=ACTORS | st.none(),
        expected=EXPECTATIONS,
    )
    def save_several(self, space, twin, drawn, actor_id, expected):
        if actor_id is not None:
            drawn = [{**each, "actor_id": actor_id} for each in drawn]
        events = [self.make(space, each) for each in drawn]
        first = events[0].actor_id if events else "order-1"
        self.save(space, twin, events, self.expectation(space, first, expected))

    @rule(
        space=st.integers(0, 1),
        twin=SYNC,
        picks=st.lists(st.integers(0, 10**6), min_size=1, max_size=3, unique=True),
        change=st.sampled_from(
            [None, None, None, {"data": {"n": 2}}, {"data": {"n": 1.0}}, {"command_id": "x"}]
        ),
        without_version=st.booleans(),
        more=st.none() | NEW,
        expected=st.none() | st.just(0),
    )
    def save_again(self, space, twin, picks, change, without_version, more, expected):
        log = self.models[space].log
        if not log:
            return
        picks = list(dict.fromkeys(pick % len(log) for pick in picks))
        events = [log[pick] for pick in picks]
        if without_version:
            events = [replace(event, version=None) for event in events]
        if change is not None:
            events[-1] = replace(events[-1], **change)
        if more is not None:
            events.append(self.make(space, more))
        if len({event.actor_id for event in events}) > 1:
            expected = None
        self.save(space, twin, events, expected)

    @rule(space=st.integers(0, 1), twin=SYNC, drawn=NEW, ambient=CORRELATIONS)
    def save_with_ambient_metadata(self, space, twin, drawn, ambient):
        event = self.make(space, {**drawn, "distance": None})
        merged = replace(event, metadata={"correlation_id": ambient, **event.metadata})
        known = self.models[space]
        if any(each.id == event.id for each in known.log):
            return
        [expected] = known.save([merged], None)

        def ask(store):
            with event_metadata(correlation_id=ambient):
                return call(store, twin, "save_event", event)

        for name, saved in self.compare(space, expected, ask).items():
            self.positions[space][name].append(saved.position)

    @rule(space=st.integers(0, 1), twin=SYNC, actor_id=ACTORS, drawn=st.lists(NEW, max_size=2))
    def update(self, space, twin, actor_id, drawn):
        known = self.models[space]
        events = [
            self.make(space, {**each, "actor_id": actor_id, "distance": None}) for each in drawn
        ]
        # A snapshot may hold anything.
        if known.snapshots.get(actor_id) or not self.ids_are_comparable(known, events):
            return
        state = [[event.version, event.event_type] for event in known.read(actor_id)]
        seen = []

        def decide(given):
            seen.append(given)
            return events

        size = len(known.log)
        result = known.save(events, known.latest(actor_id))
        answers = self.compare(
            space, result, lambda store: call(store, twin, "update", actor_id, decide, collect, [])
        )
        assert seen == [state] * len(self.stores)
        for name, saved in answers.items():
            if not isinstance(result, Refused) and len(known.log) > size:
                self.positions[space][name] += [event.position for event in saved]

    # -- reading

    @rule(
        space=st.integers(0, 1),
        twin=SYNC,
        actor_id=ACTORS,
        from_version=st.integers(0, 12),
        to_version=st.none() | st.integers(0, 12),
        limit=st.none() | st.integers(0, 4),
        reverse=st.booleans(),
        method=st.sampled_from(["get_events", "iter_events", "iter_events_with_errors"]),
    )
    def read_actor(self, space, twin, actor_id, from_version, to_version, limit, reverse, method):
        bounds = {"to_version": to_version, "limit": limit, "reverse": reverse}
        self.compare(
            space,
            self.models[space].read(actor_id, from_version, **bounds),
            lambda store: call(store, twin, method, actor_id, from_version, **bounds),
        )

    @rule(
        space=st.integers(0, 1),
        twin=SYNC,
        after=st.none() | st.integers(-1, 30),
        before=st.none() | st.integers(0, 30),
        limit=st.none() | st.integers(0, 6),
        reverse=st.booleans(),
        filters=st.fixed_dictionaries(
            {},
            optional={
                "event_types": st.lists(TYPES, max_size=2),
                "actor_id": ACTORS,
                "correlation_id": CORRELATIONS,
                "since": MOMENTS,
                "until": MOMENTS,
            },
        ),
    )
    def read_all(self, space, twin, after, before, limit, reverse, filters):
        """`after` and `before` are events of the model's log; each store has its own positions."""
        known = self.models[space]
        size = len(known.log)
        first = 0 if after is None else min(after, size - 1) + 1
        stop = size if before is None or before >= size else before
        events = known.select(known.log[first:stop], **filters)
        if reverse:
            events.reverse()

        def position(name, index):
            if index is None:
                return None
            positions = self.positions[space][name]
            return positions[index] if 0 <= index < len(positions) else (0 if index < 0 else None)

        for name, store in self.opened[space].items():
            answer = call(
                store,
                twin,
                "read_all",
                None if after is None or not size else position(name, min(after, size - 1)),
                before=position(name, before),
                limit=limit,
                reverse=reverse,
                **filters,
            )
            assert form(answer) == form(events[:limit]), name
        if after is None and before is None:
            self.compare(
                space, len(events), lambda store: call(store, twin, "count_events", **filters)
            )

    @rule(space=st.integers(0, 1), twin=SYNC, pick=st.integers(0, 10**6), actor_id=ACTORS)
    def look_up(self, space, twin, pick, actor_id):
        known = self.models[space]
        self.compare(
            space,
            known.latest(actor_id),
            lambda store: call(store, twin, "get_latest_version", actor_id),
        )
        self.compare(space, None, lambda store: call(store, twin, "get_event_by_id", "never saved"))
        if not known.log:
            return
        index = pick % len(known.log)
        event = known.log[index]
        for name, store in self.opened[space].items():
            found = call(store, twin, "get_event", self.positions[space][name][index])
            assert form(found) == form(event), name
            assert call(store, twin, "get_event_by_id", event.id) == found, name
            assert call(store, twin, "get_event_by_id", event.id, actor_id=event.actor_id) == found

    @rule(
        space=st.integers(0, 1),
        twin=SYNC,
        search=st.sampled_from(["", "order", "Order", " ", "é", "%", "*", "."]),
        limit=st.integers(1, 4),
        order_by=st.sampled_from([*ACTOR_ORDERINGS, *(f"-{name}" for name in ACTOR_ORDERINGS)]),
    )
    def list_actors(self, space, twin, search, limit, order_by):
        known = self.models[space]
        name = order_by.removeprefix("-")
        rows = []
        for actor_id in {event.actor_id for event in known.log}:
            events = known.read(actor_id)
            rows.append(
                {
                    "actor_id": actor_id,
                    "latest_version": events[-1].version,
                    "event_count": len(events),
                    "first_timestamp": events[0].timestamp,
                    "last_timestamp": events[-1].timestamp,
                    "last_position": known.log.index(events[-1]),
                }
            )
        rows = [row for row in rows if search in row["actor_id"]]
        rows.sort(key=lambda row: (row[name], row["actor_id"]), reverse=order_by.startswith("-"))
        for store_name, store in self.opened[space].items():
            if name not in store.backend.actor_orderings:
                continue
            found = []
            cursor = None
            while True:
                page = call(
                    store,
                    twin,
                    "get_actors",
                    search=search,
                    limit=limit,
                    order_by=order_by,
                    cursor=cursor,
                )
                found += page
                cursor = page.next_cursor
                if cursor is None:
                    break
                assert len(page) == limit, store_name
            assert [actor.actor_id for actor in found] == [row["actor_id"] for row in rows]
            for actor, row in zip(found, rows, strict=True):
                for key, value in row.items():
                    if key == "last_position":  # each store has its own
                        value = self.positions[space][store_name][value]
                    told = getattr(actor, key)
                    assert told == value or (
                        told is None and key not in store.backend.actor_orderings
                    )

    # -- snapshots and state

    @rule(
        space=st.integers(0, 1),
        twin=SYNC,
        actor_id=ACTORS,
        version=st.integers(1, 14),
        state=DATA | st.lists(st.integers(0, 3), max_size=2),
        schema_version=st.sampled_from([1, 1, 1, 2]),
    )
    def save_snapshot(self, space, twin, actor_id, version, state, schema_version):
        snapshot = Snapshot(actor_id, version, state, START, schema_version=schema_version)
        self.models[space].save_snapshot(snapshot)
        for store in self.opened[space].values():
            saved = call(store, twin, "save_snapshot", snapshot)
            assert replace(saved, position=None) == snapshot

    @rule(
        space=st.integers(0, 1),
        twin=SYNC,
        actor_id=ACTORS,
        max_version=st.none() | st.integers(0, 14),
    )
    def latest_snapshot(self, space, twin, actor_id, max_version):
        expected = self.models[space].snapshot(actor_id, max_version)
        for name, store in self.opened[space].items():
            found = call(store, twin, "get_latest_snapshot", actor_id, max_version=max_version)
            if found is not None:
                found = replace(found, position=None)
            assert repr(found) == repr(expected), name

    @rule(
        space=st.integers(0, 1),
        twin=SYNC,
        actor_id=ACTORS,
        to_version=st.none() | st.integers(0, 12),
        use_snapshot=st.booleans(),
    )
    def replay(self, space, twin, actor_id, to_version, use_snapshot):
        known = self.models[space]
        kept = known.snapshots.get(actor_id, {})
        usable = [
            version
            for version, snapshot in kept.items()
            if (to_version is None or version <= to_version) and snapshot.schema_version == 1
        ]
        start = max(usable) if use_snapshot and usable else 0
        state = kept[start].state if start else []
        events = known.read(actor_id, start + 1, to_version)
        if start and not isinstance(state, list):
            return  # not what this fold makes
        for event in events:
            state = collect(state, event)
        for name, store in self.opened[space].items():
            replayed = call(
                store,
                twin,
                "replay",
                actor_id,
                collect,
                [],
                to_version=to_version,
                use_snapshot=use_snapshot,
            )
            assert replayed.state == state, name
            assert replayed.version == (events[-1].version if events else start), name
            assert (replayed.events_applied, replayed.errors) == (len(events), []), name
            assert replayed.snapshot_version == start, name

    def teardown(self) -> None:
        """In the end all hold the same, in the same order, and nothing beside it."""
        for space, known in enumerate(getattr(self, "models", [])):
            self.compare(space, known.log, lambda store: list(store.read_all()))
            self.compare(space, len(known.log), lambda store: store.count_events())


def test_all_stores_do_what_the_model_does(stores):
    machine = type("Machine", (SideBySide,), {"stores": stores})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
