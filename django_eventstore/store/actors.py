"""All actors of a store, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from ..backends.values import ActorPage
from . import EventStore

PAGE_SIZE = 500


def iter_actor_pages(store: EventStore, *, search: str = "") -> Iterator[ActorPage]:
    """Yield pages of the actors in the order of their ids, code point by code point.

    Args:
        store: whose actors.
        search: only actors whose id contains this text.
    """
    cursor = None
    while True:
        page = store.get_actors(search=search, limit=PAGE_SIZE, cursor=cursor)
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return
