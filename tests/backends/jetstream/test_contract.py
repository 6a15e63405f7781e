"""The contract, against a JetStream store on each supported server."""

from __future__ import annotations

import pytest

from django_eventstore.test.contract import AsyncEventStoreContract, EventStoreContract
from tests.support.jetstream import next_subject, open_store, publish


class JetStreamStore:
    process_store = "tests.support.jetstream.process_store"
    url = ""

    def make_store(self, namespace="", **options):
        return open_store(self.url, namespace, **options)

    def process_environment(self):
        return {"EVENTSTORE_TEST_NATS": self.url}

    def inject_malformed(self, store, actor_id, raw):
        publish(self.url, next_subject(store, actor_id), raw)

    def inject_malformed_snapshot(self, store, actor_id, version, raw):
        from django_eventstore import Snapshot

        store.save_snapshot(Snapshot(actor_id, version, None))
        token = next_subject(store, actor_id).split(".")[2]
        publish(self.url, f"{store.stream_name}.snapshots.{token}.{version}", raw)


@pytest.fixture(scope="class")
def _newest(request, nats_server):
    request.cls.url = nats_server.url


@pytest.fixture(scope="class")
def _oldest(request, nats_server_oldest):
    request.cls.url = nats_server_oldest.url
    # From the first use on a store knows what its server can.
    open_store(nats_server_oldest.url).setup()


@pytest.mark.usefixtures("_newest")
class TestJetStreamStore(JetStreamStore, EventStoreContract):
    pass


@pytest.mark.usefixtures("_newest")
class TestJetStreamStoreAsync(JetStreamStore, AsyncEventStoreContract):
    pass


@pytest.mark.usefixtures("_oldest")
class TestJetStreamStoreOnTheOldestServer(JetStreamStore, EventStoreContract):
    pass
