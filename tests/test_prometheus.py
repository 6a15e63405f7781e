"""Prometheus' counters, and how far consumers are behind."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from django_eventstore import Event, VersionConflictError, event_stores, prometheus
from django_eventstore.backends.memory import InMemoryEventStore
from django_eventstore.workers.consumers import open_consumer
from tests.support.database import tamper


def apply(state, event):
    return state + 1


@pytest.fixture
def store():
    return InMemoryEventStore(namespace="shop")


class TestPrometheus:
    @pytest.fixture(autouse=True)
    def connected(self):
        prometheus.connect()
        yield
        prometheus.disconnect()

    @staticmethod
    def sample(name, **labels):
        return REGISTRY.get_sample_value(name, {"store": "", **labels}) or 0

    def test_saves_and_conflicts_are_counted(self, store):
        saved = {"operation": "save", "outcome": "ok"}
        conflict = {"operation": "save", "outcome": "conflict"}
        before = [
            self.sample("eventstore_operations_total", **saved),
            self.sample("eventstore_operations_total", **conflict),
            self.sample("eventstore_events_total", operation="save"),
            self.sample("eventstore_operation_seconds_count", operation="save"),
        ]

        store.save_events([Event("order-1", "placed"), Event("order-1", "paid")])
        with pytest.raises(VersionConflictError):
            store.save_event(Event("order-1", "paid"), expected_version=0)

        after = [
            self.sample("eventstore_operations_total", **saved),
            self.sample("eventstore_operations_total", **conflict),
            self.sample("eventstore_events_total", operation="save"),
            self.sample("eventstore_operation_seconds_count", operation="save"),
        ]
        assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 2, 2]

    def test_deciding_again_is_counted_with_its_reason(self, store):
        retried = {"operation": "retry", "outcome": "conflict"}
        before = self.sample("eventstore_operations_total", **retried)
        rivals = iter([Event("order-1", "changed by one"), Event("order-1", "by another")])

        def decide(state):
            for rival in rivals:
                store.save_event(rival)
                break
            return Event("order-1", "paid")

        store.update("order-1", decide, apply, 0)

        assert self.sample("eventstore_operations_total", **retried) - before == 2

    @pytest.mark.django_db
    def test_malformed_events_are_counted_each_time_that_one_is_met(self):
        store = event_stores["default"]
        malformed, good = store.save_events([Event("order-1", "placed"), Event("order-1", "paid")])
        tamper(malformed.position, data="no JSON")
        before = self.sample("eventstore_malformed_events_total", store="default")

        assert store.get_events("order-1") == [good]
        assert list(store.read_all()) == [good]

        after = self.sample("eventstore_malformed_events_total", store="default")
        assert after - before == 2


@pytest.mark.django_db
class TestLag:
    def test_a_scrape_tells_how_far_consumers_are_behind(self):
        store = event_stores["default"].with_namespace("lag")
        store.save_events([Event("order-1", "placed"), Event("order-1", "paid")])
        open_consumer("totals", store, shards=1, using="default")
        registry = CollectorRegistry()
        registry.register(prometheus.ConsumerCollector())

        labels = {"consumer": "totals", "namespace": "lag"}
        assert registry.get_sample_value("eventstore_consumer_lag_events", labels) == 2
        assert registry.get_sample_value("eventstore_consumer_lag_seconds", labels) > 0
        assert registry.get_sample_value("eventstore_consumer_workers", labels) == 0
        assert registry.get_sample_value("eventstore_consumer_parked_events", labels) == 0

    def test_a_consumer_of_a_store_that_is_gone_holds_up_no_other(self, caplog):
        for name, store in (
            ("gone", InMemoryEventStore("gone")),
            ("here", event_stores["default"]),
        ):
            open_consumer(name, store, shards=1, using="default")
        registry = CollectorRegistry()
        registry.register(prometheus.ConsumerCollector())

        labels = {"consumer": "here", "namespace": ""}
        assert registry.get_sample_value("eventstore_consumer_lag_events", labels) == 0
        assert "No figures of gone" in caplog.text
