"""Many actors, and what a list of them holds."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.support.jetstream import purge, talk

MANY = 40_000
"""So many that they are read by a consumer, in many pages."""


def first_appends(store, numbers):
    """Return (subject, payload) of an event of each `actor-<number>`."""
    for number in numbers:
        payload = {"id": f"id-{number}", "event_type": "placed", "version": 1}
        subject = f"{store.stream_name}.events.actor-{number:07d}.1"
        yield subject, json.dumps(payload).encode()


def names(page):
    return [actor.actor_id for actor in page]


def prune(store, actor_id, append):
    """Remove an append as retention would, and what this process knows of the actor."""
    url = ",".join(store.options.servers)
    purge(url, store.stream_name, f"{store.stream_name}.events.{actor_id}.{append}")
    store.version_cache.clear()


def consumers(store):
    """Return the names of the consumers of the store's stream."""

    async def ask(connection):
        found = await connection.jetstream().consumers_info(store.stream_name)
        return [consumer.name for consumer in found]

    return talk(",".join(store.options.servers), ask)


def assert_lists_all(store, many):
    """The list begins and ends as it should, and some from everywhere are in it."""
    first = store.get_actors(limit=2)
    assert names(first) == ["actor-0000000", "actor-0000001"]
    more = store.get_actors(limit=2, cursor=first.next_cursor)
    assert names(more) == ["actor-0000002", "actor-0000003"]
    last = store.get_actors(limit=1, order_by="-actor_id")
    assert names(last) == [f"actor-{many - 1:07d}"]
    for number in random.sample(range(many), 30):
        assert names(store.get_actors(search=f"-{number:07d}")) == [f"actor-{number:07d}"]


@contextmanager
def listing(store, **arguments):
    """Has the store list its actors while the block runs; gives the future page."""
    with ThreadPoolExecutor(1) as pool:
        page = pool.submit(store.get_actors, **arguments)
        while not consumers(store) and not page.done():
            continue
        yield page
