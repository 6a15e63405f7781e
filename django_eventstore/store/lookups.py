"""What a store holds: its actors, single events, figures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from typing import Final, Unpack

from ..backends.values import ActorPage, ActorQuery, ActorSummary, Selection, StoreStatistics
from ..events import Event, ReplayError
from ..events.validation import check_characters, check_integer
from ..exceptions import UnsupportedOperation
from .arguments import Filters, check_actor_query, checked_actor_ids, lookup, selection
from .malformed import Reporting

ACTORS_AT_ONCE: Final = 500
"""How many actors iter_actors() holds in memory at once."""

NEWEST: Final = Selection(reverse=True, limit=1)


class Lookups(Reporting):
    """get_actors(), get_event(), count_events() and the like."""

    def get_actors(
        self,
        *,
        search: str = "",
        order_by: str = "actor_id",
        limit: int = 100,
        cursor: str | None = None,
        time_limit: float | None = None,
    ) -> ActorPage:
        """Return one page of actors.

        Args:
            search: only actors whose id contains this text, as written.
            order_by: ``actor_id``, ``latest_version``, ``event_count``, ``first_timestamp``,
                ``last_timestamp`` or ``last_position``; descending with ``-`` in front. Which of
                them a store offers is in ``backend.actor_orderings``.
            limit: the most actors on the page; 0 gives none.
            cursor: the ``next_cursor`` of the page before; opaque.
            time_limit: after how many seconds to stop looking, about, and to return what was
                found by then (see ``ActorPage.coverage``); None: when all is found.

        Raises:
            InvalidEventError: an argument is wrong.
            UnsupportedOperation: the store cannot sort by that.
        """
        query = ActorQuery(
            search=search, order_by=order_by, limit=limit, cursor=cursor, time_limit=time_limit
        )
        self._check_listing(query)
        return self.backend.list_actors(self.namespace, query) if limit else ActorPage()

    async def aget_actors(
        self,
        *,
        search: str = "",
        order_by: str = "actor_id",
        limit: int = 100,
        cursor: str | None = None,
        time_limit: float | None = None,
    ) -> ActorPage:
        """See get_actors()."""
        query = ActorQuery(
            search=search, order_by=order_by, limit=limit, cursor=cursor, time_limit=time_limit
        )
        self._check_listing(query)
        return await self.backend.alist_actors(self.namespace, query) if limit else ActorPage()

    def iter_actors(self, *, search: str = "") -> Iterator[ActorSummary]:
        """Yield all actors in the order of their ids, code point by code point.

        Args:
            search: only actors whose id contains this text, as written.

        Raises:
            InvalidEventError: ``search`` is no text.
            StoreUnavailableError: the store cannot be reached.
        """
        return _each_actor(self._pinned(), check_characters("search", search))

    def aiter_actors(self, *, search: str = "") -> AsyncIterator[ActorSummary]:
        """See iter_actors()."""
        return _aeach_actor(self._pinned(), check_characters("search", search))

    def get_actor_summaries(self, actor_ids: Iterable[str]) -> dict[str, ActorSummary]:
        """Return what get_actors() says of each of these actors; those without events are left out.

        Raises:
            InvalidEventError: an actor id is wrong.
        """
        checked = checked_actor_ids(actor_ids)
        return self.backend.actor_summaries(self.namespace, checked) if checked else {}

    async def aget_actor_summaries(self, actor_ids: Iterable[str]) -> dict[str, ActorSummary]:
        """See get_actor_summaries()."""
        checked = checked_actor_ids(actor_ids)
        return await self.backend.aactor_summaries(self.namespace, checked) if checked else {}

    def get_event(self, position: int) -> Event | None:
        """Return the event at ``position``; None if there is none, or a malformed one."""
        item = self.get_event_with_errors(position)
        return None if isinstance(item, ReplayError) else item

    async def aget_event(self, position: int) -> Event | None:
        """See get_event()."""
        item = await self.aget_event_with_errors(position)
        return None if isinstance(item, ReplayError) else item

    def get_event_with_errors(self, position: int) -> Event | ReplayError | None:
        """Return the event at ``position``, a ReplayError if it is malformed, None if none is."""
        namespace = self.namespace
        check_integer("position", position, minimum=0)
        return self._settled_one(namespace, self.backend.event_at(namespace, position))

    async def aget_event_with_errors(self, position: int) -> Event | ReplayError | None:
        """See get_event_with_errors()."""
        namespace = self.namespace
        check_integer("position", position, minimum=0)
        return await self._asettled_one(
            namespace, await self.backend.aevent_at(namespace, position)
        )

    def get_event_by_id(self, event_id: str, *, actor_id: str | None = None) -> Event | None:
        """Return the event with this id, or None.

        Name the actor where it is known: a store without an index of ids (JetStream) then looks
        at that actor alone, and through all of its events otherwise.
        """
        actors = lookup(event_id, actor_id)
        namespace = self.namespace
        found = self.backend.find_events(namespace, (event_id,), actors)
        item = self._settled_one(namespace, found.get(event_id))
        return None if isinstance(item, ReplayError) else item

    async def aget_event_by_id(self, event_id: str, *, actor_id: str | None = None) -> Event | None:
        """See get_event_by_id()."""
        actors = lookup(event_id, actor_id)
        namespace = self.namespace
        found = await self.backend.afind_events(namespace, (event_id,), actors)
        item = await self._asettled_one(namespace, found.get(event_id))
        return None if isinstance(item, ReplayError) else item

    def count_events(self, **filters: Unpack[Filters]) -> int:
        """Return how many events the store holds, or how many pass the filters of read_all()."""
        selected = selection(**filters)
        return 0 if selected.nothing else self.backend.count_events(self.namespace, selected)

    async def acount_events(self, **filters: Unpack[Filters]) -> int:
        """See count_events()."""
        selected = selection(**filters)
        return 0 if selected.nothing else await self.backend.acount_events(self.namespace, selected)

    def last_position(self) -> int:
        """Return the position of the store's newest event, a malformed one too; 0 for none."""
        for item in self.backend.read_store(self.namespace, NEWEST):
            return item.position or 0
        return 0

    async def alast_position(self) -> int:
        """See last_position()."""
        async with aclosing(self.backend.aread_store(self.namespace, NEWEST)) as newest:
            async for item in newest:
                return item.position or 0
        return 0

    def get_statistics(self) -> StoreStatistics:
        """Return how many events and actors the store holds; estimates where counting is slow."""
        return self.backend.statistics(self.namespace)

    async def aget_statistics(self) -> StoreStatistics:
        """See get_statistics()."""
        return await self.backend.astatistics(self.namespace)

    def _check_listing(self, query: ActorQuery) -> None:
        check_actor_query(query)
        if query.name not in self.backend.actor_orderings:
            raise UnsupportedOperation(
                f"{self!r} cannot sort actors by {query.name}; it can by "
                f"{', '.join(sorted(self.backend.actor_orderings))}."
            )


def _each_actor(store: Lookups, search: str) -> Iterator[ActorSummary]:
    cursor = None
    while True:
        page = store.get_actors(search=search, limit=ACTORS_AT_ONCE, cursor=cursor)
        yield from page
        cursor = page.next_cursor
        if cursor is None:
            return


async def _aeach_actor(store: Lookups, search: str) -> AsyncIterator[ActorSummary]:
    cursor = None
    while True:
        page = await store.aget_actors(search=search, limit=ACTORS_AT_ONCE, cursor=cursor)
        for actor in page:
            yield actor
        cursor = page.next_cursor
        if cursor is None:
            return
