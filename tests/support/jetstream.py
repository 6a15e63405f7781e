"""Stores on a test's server, and strangers that publish to it with plain nats-py."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import uuid
from itertools import islice

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


def publish_raw(server, subject, header_block, raw):
    """Publish with any header block, as no library would."""
    command = b"HPUB %s %d %d\r\n%s%s\r\n" % (
        subject.encode(),
        len(header_block),
        len(header_block) + len(raw),
        header_block,
        raw,
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b'CONNECT {"verbose":false,"headers":true}\r\n' + command + b"PING\r\n")
        answer = b""
        while b"PONG" not in answer:
            part = connection.recv(4096)
            assert part, answer  # closed: it was refused
            answer += part


def publish_many(url, messages, together=1000):
    """Publish (subject, payload) pairs, many at a time; each is acknowledged at the end."""

    async def send(connection):
        inbox = connection.new_inbox()
        answers = await connection.subscribe(inbox)
        for pairs in batched(messages, together):
            for subject, raw in pairs:
                await connection.publish(subject, raw, reply=inbox)
            for _ in pairs:
                answer = await answers.next_msg(timeout=30)
                assert b'"error"' not in answer.data, answer.data

    talk(url, send)


def batched(items, size):
    """Return `items` as lists of up to `size` of them."""
    items = iter(items)
    while part := list(islice(items, size)):
        yield part


def purge(url, stream, subject):
    """Remove the messages on `subject`, as retention would."""

    async def remove(connection):
        await connection.jetstream().purge_stream(stream, subject=subject)

    talk(url, remove)


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


def foreign(version):
    """Return an event as a stranger would write it."""
    return json.dumps(
        {"id": str(uuid.uuid4()), "event_type": "foreign", "version": version}
    ).encode()
