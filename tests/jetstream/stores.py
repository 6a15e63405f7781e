"""Stores on a test's server, and strangers that publish to it with plain nats-py."""

from __future__ import annotations

import asyncio
import os

import nats

from django_eventstore.backends.jetstream import JetStreamEventStore


def open_store(url, namespace="", **options):
    """Return a new store object on the server(s) at `url` (comma-separated)."""
    options.setdefault("max_age", None)
    return JetStreamEventStore(namespace=namespace, servers=url.split(","), **options)


def process_store(namespace):
    """Return the store, in a child process of the contract."""
    return open_store(os.environ["EVENTSTORE_TEST_NATS"], namespace)


def talk(url, function):
    """Return what the coroutine function makes of a plain connection of its own."""

    async def main():
        connection = await nats.connect(url.split(","))
        try:
            return await function(connection)
        finally:
            await connection.close()

    return asyncio.run(main())


def publish(url, subject, raw, headers=None):
    """Publish to a stream, as a stranger would; return the acknowledgement."""

    async def send(connection):
        return await connection.jetstream().publish(subject, raw, headers=headers)

    return talk(url, send)


def subjects(url, store, actor_token):
    """Return the subjects of an actor's appends, by what the server says."""

    async def ask(connection):
        info = await connection.jetstream().stream_info(
            store.stream_name, subjects_filter=f"{store.stream_name}.events.{actor_token}.*"
        )
        return sorted(info.state.subjects or {})

    return talk(url, ask)


def next_subject(store, actor_token):
    """Return the subject of the actor's next append (`actor_token`: a plain actor id)."""
    url = ",".join(store.options.servers)
    store.setup()
    numbers = [int(name.rpartition(".")[2]) for name in subjects(url, store, actor_token)]
    return f"{store.stream_name}.events.{actor_token}.{max(numbers, default=0) + 1}"
