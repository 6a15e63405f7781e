"""What operations tell of themselves: the signal, spans, log records."""

from __future__ import annotations

import logging
import sys

import pytest
from django.db.utils import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from django_eventstore import (
    DuplicateEventError,
    Event,
    EventTooLargeError,
    InvalidEventError,
    Snapshot,
    StoreUnavailableError,
    VersionConflictError,
    event_stores,
)
from django_eventstore.backends.database.mysql import MySQL
from django_eventstore.backends.memory import InMemoryEventStore
from django_eventstore.middleware import EventMetadataMiddleware
from django_eventstore.signals import store_operation

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"


def apply(state, event):
    return state + 1


@pytest.fixture
def store():
    return InMemoryEventStore(namespace="shop")


@pytest.fixture
def told():
    """Collect what `store_operation` said, as dictionaries."""
    heard = []

    def receive(**values):
        heard.append(values)

    store_operation.connect(receive)
    yield heard
    store_operation.disconnect(receive)


def briefly(told):
    return [(each["operation"], each["outcome"], each["events"]) for each in told]


@pytest.fixture
def spans(monkeypatch):
    """Set up a tracer provider for the test alone; collect the spans that are finished."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield exporter
    provider.shutdown()


class TestTheSignal:
    def test_a_save_is_told_with_the_number_of_its_events(self, store, told):
        store.save_events([Event("order-1", "placed"), Event("order-1", "paid")])

        assert briefly(told) == [("save", "ok", 2)]
        assert told[0]["store"] is store
        assert told[0]["namespace"] == "shop"
        assert told[0]["seconds"] > 0

    @pytest.mark.parametrize(
        ("save", "error", "outcome"),
        [
            (
                lambda store: store.save_event(Event("order-1", "paid"), expected_version=7),
                VersionConflictError,
                "conflict",
            ),
            (
                lambda store: store.save_event(Event("order-2", "paid", id="taken")),
                DuplicateEventError,
                "duplicate",
            ),
            (lambda store: store.save_event(Event("", "paid")), InvalidEventError, "invalid"),
            (
                lambda store: store.save_event(Event("order-1", "paid", {"x": "x" * 2_000_000})),
                EventTooLargeError,
                "too_large",
            ),
        ],
    )
    def test_a_refusal_is_told_by_its_kind(self, store, told, save, error, outcome):
        store.save_event(Event("order-1", "placed", id="taken"))
        told.clear()

        with pytest.raises(error):
            save(store)

        assert [(each["operation"], each["outcome"]) for each in told] == [("save", outcome)]

    def test_a_store_that_does_not_answer_is_told(self, store, told, monkeypatch):
        def unreachable(*args):
            raise StoreUnavailableError("No server.")

        monkeypatch.setattr(store.backend, "append", unreachable)

        with pytest.raises(StoreUnavailableError):
            store.save_event(Event("order-1", "placed"))

        assert briefly(told) == [("save", "unavailable", 1)]

    def test_an_event_saved_again_is_told_as_repeated(self, store, told):
        event = Event("order-1", "placed")
        store.save_event(event)
        store.save_event(event)

        assert briefly(told) == [("save", "ok", 1), ("save", "repeated", 1)]

    def test_saving_nothing_is_told_with_no_events(self, store, told):
        store.save_events([])

        assert briefly(told) == [("save", "ok", 0)]

    def test_reads_are_told_when_their_reader_has_finished(self, store, told):
        store.save_events([Event("order-1", "placed"), Event("order-1", "paid")])
        told.clear()

        store.get_events("order-1")
        reader = store.read_all()
        next(reader)
        assert len(told) == 1
        reader.close()

        assert briefly(told) == [("read_actor", "ok", 2), ("read_store", "ok", 1)]
        assert told[0]["actor_id"] == "order-1"

    def test_a_replay_is_told_with_the_events_it_folded(self, store, told):
        store.save_events([Event("order-1", "placed"), Event("order-1", "paid")])
        store.save_snapshot(Snapshot("order-1", 1, 1))
        told.clear()

        store.replay("order-1", apply, 0)

        assert briefly(told) == [("read_actor", "ok", 1), ("replay", "ok", 1)]

    def test_deciding_again_is_told_with_the_reason(self, store, told):
        rivals = iter([Event("order-1", "changed by somebody else")])

        def decide(state):
            for rival in rivals:
                store.save_event(rival)
            return Event("order-1", "paid")

        store.update("order-1", decide, apply, 0)

        assert ("retry", "conflict", 0) in briefly(told)
        assert briefly(told)[-1] == ("save", "ok", 1)

    @pytest.mark.needs("mariadb")
    @pytest.mark.django_db(transaction=True, databases=["mariadb"])
    def test_trying_again_after_a_deadlock_is_told(self, told, monkeypatch):
        store = event_stores["mariadb"].with_namespace("tenant")
        append = MySQL.append
        deadlocks = iter([OperationalError(1213, "Deadlock found when trying to get lock")])

        def unlucky(*args):
            for deadlock in deadlocks:
                raise deadlock
            return append(*args)

        monkeypatch.setattr(MySQL, "append", unlucky)

        assert store.save_event(Event("order-1", "placed")).version == 1
        assert briefly(told) == [("retry", "error", 0), ("save", "ok", 1)]
        assert {values["store"].namespace for values in told} == {store.namespace}

    def test_a_receiver_that_fails_is_logged_and_changes_nothing(self, store, told, caplog):
        def fail(**values):
            raise RuntimeError("out of order")

        store_operation.connect(fail)
        try:
            saved = store.save_event(Event("order-1", "placed"))
        finally:
            store_operation.disconnect(fail)

        assert saved.version == 1
        assert "fail" in caplog.text

    async def _asynchronous(self, store):
        await store.asave_events([Event("order-1", "placed"), Event("order-1", "paid")])
        await store.aget_events("order-1")
        await store.areplay("order-1", apply, 0)
        return [event async for event in store.aread_all()]

    def test_asynchronous_twins_tell_the_same(self, store, told):
        from asgiref.sync import async_to_sync

        async_to_sync(self._asynchronous)(store)

        assert briefly(told) == [
            ("save", "ok", 2),
            ("read_actor", "ok", 2),
            ("read_actor", "ok", 2),
            ("replay", "ok", 2),
            ("read_store", "ok", 2),
        ]


class TestLogRecords:
    def test_operations_are_logged_at_debug_with_their_facts_as_fields(self, store, caplog):
        with caplog.at_level(logging.DEBUG, "django_eventstore"):
            store.save_event(Event("order-1", "placed", {"card": "4111-1111"}))

        record = caplog.records[-1]
        assert (record.operation, record.outcome, record.events) == ("save", "ok", 1)
        assert record.namespace == "shop"
        assert "4111" not in str(vars(record))


class TestSpans:
    def test_each_operation_is_a_span_linked_to_the_traces_of_its_events(self, store, spans):
        event = Event("order-1", "placed").with_metadata(trace_id=TRACE_ID, span_id=SPAN_ID)
        store.save_event(event)
        store.get_events("order-1")

        saving, reading = spans.get_finished_spans()
        assert (saving.name, reading.name) == ("eventstore.save", "eventstore.read_actor")
        assert saving.attributes["eventstore.namespace"] == "shop"
        assert saving.attributes["eventstore.events"] == 1
        for span in (saving, reading):
            (link,) = span.links
            assert trace.format_trace_id(link.context.trace_id) == TRACE_ID
            assert trace.format_span_id(link.context.span_id) == SPAN_ID
            assert link.attributes["eventstore.event_id"] == event.id

    def test_an_event_carries_the_trace_that_it_was_saved_in(self, store, spans):
        with trace.get_tracer_provider().get_tracer("test").start_as_current_span("request"):
            event = store.save_event(Event("order-1", "placed"))

        saving, request = spans.get_finished_spans()
        assert saving.parent.span_id == request.context.span_id
        assert event.trace_id == trace.format_trace_id(request.context.trace_id)
        assert event.span_id == trace.format_span_id(saving.context.span_id)

    def test_a_refusal_makes_the_span_an_error_that_names_its_kind(self, store, spans):
        with pytest.raises(VersionConflictError):
            store.save_event(Event("order-1", "placed"), expected_version=3)

        (saving,) = spans.get_finished_spans()
        assert saving.attributes["eventstore.outcome"] == "conflict"
        assert not saving.status.is_ok
        assert saving.events == ()

    def test_ids_that_are_none_are_passed_over(self, store, spans):
        store.save_event(Event("order-1", "placed").with_metadata(trace_id="not hex", span_id="0"))

        (saving,) = spans.get_finished_spans()
        assert saving.links == ()

    def test_the_current_span_goes_before_the_header(self, store, spans):
        headers = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"}
        request = RequestFactory().get("/", headers=headers)

        def view(request):
            store.save_event(Event("order-1", "placed"))
            return HttpResponse()

        with trace.get_tracer_provider().get_tracer("test").start_as_current_span("request"):
            EventMetadataMiddleware(view)(request)

        saving, _ = spans.get_finished_spans()
        (event,) = store.get_events("order-1")
        assert event.span_id == trace.format_span_id(saving.context.span_id)

    def test_without_a_tracer_provider_there_are_no_spans_and_no_ids(self, store, monkeypatch):
        monkeypatch.delitem(sys.modules, "opentelemetry.trace")

        event = store.save_event(Event("order-1", "placed"))

        assert dict(event.metadata) == {}
