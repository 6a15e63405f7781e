"""A server that says "not now", as one without a leader does, is asked again until the deadline."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import nats
import pytest

from django_eventstore import StoreUnavailableError
from django_eventstore.backends.jetstream import JetStreamEventStore
from tests.servers import NatsServer

pytestmark = pytest.mark.needs("nats-server")

NOT_NOW = {
    "type": "io.nats.jetstream.api.v1.stream_info_response",
    "error": {"code": 503, "err_code": 10008, "description": "temporarily unavailable"},
}
NOT_FOUND = {
    "type": "io.nats.jetstream.api.v1.stream_info_response",
    "error": {"code": 404, "err_code": 10059, "description": "stream not found"},
}


@contextmanager
def answering(url: str, answers: list[dict]) -> Iterator[list[str]]:
    """Answer the JetStream API at `url`, the last of `answers` for ever; yield what is asked."""
    asked: list[str] = []
    ready, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        client = await nats.connect(url)

        async def answer(message) -> None:
            asked.append(message.subject)
            document = answers[min(len(asked), len(answers)) - 1]
            await message.respond(json.dumps(document, separators=(",", ":")).encode())

        await client.subscribe("$JS.API.>", cb=answer)
        await client.flush()
        ready.set()
        await asyncio.to_thread(stop.wait)
        await client.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield asked
    finally:
        stop.set()
        thread.join()


@pytest.fixture(scope="module")
def server_without_jetstream() -> Iterator[NatsServer]:
    with NatsServer(jetstream=False) as server:
        yield server


def test_asked_again_until_it_answers(server_without_jetstream):
    url = server_without_jetstream.url
    store = JetStreamEventStore(servers=[url], stream_name="later")
    with answering(url, [NOT_NOW, NOT_NOW, NOT_FOUND]) as asked:
        assert store.get_latest_version("order-1") == 0
    assert len(asked) == 3


def test_unavailable_when_the_deadline_is_past(server_without_jetstream):
    url = server_without_jetstream.url
    store = JetStreamEventStore(servers=[url], stream_name="never", timeout=0.3)
    with (
        answering(url, [NOT_NOW]) as asked,
        pytest.raises(StoreUnavailableError, match="temporarily unavailable") as caught,
    ):
        store.get_latest_version("order-1")
    assert len(asked) > 1
    assert not caught.value.outcome_unknown
