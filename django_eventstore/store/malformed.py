"""Malformed events: every read tells of them, and some were marked as skipped.

They are noticed in ``backends/database/rows.py``, ``backends/jetstream/codec.py`` and
``events/upcasting.py``. A skipped one stays where it is: somebody has looked at it, and a
``SkippedEvent`` (made in the admin) says why. Reads still name it, with that reason.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

from asgiref.sync import sync_to_async

from ..backends.values import ActorRange, Selection
from ..events import Event, ReplayError
from ..events.upcasting import are_upcasters_registered, upcast_item
from ..signals import malformed_event_found
from .base import StoreBase
from .observability import send

logger = logging.getLogger("django_eventstore")

Item = Event | ReplayError
Range = TypeVar("Range", ActorRange, Selection)


def skip_reasons(alias: str | None, namespace: str) -> Mapping[int | None, str]:
    """Return why events of a store were marked as skipped, by position.

    Args:
        alias: the store's alias; a store made by hand (None) has no records.
        namespace: the namespace the events are in.
    """
    if alias is None:
        return {}
    try:
        from django.db import router, transaction

        from ..models import SkippedEvent

        records = SkippedEvent.objects.filter(store=alias, namespace=namespace)
        # A failed query must not spoil a transaction that the caller has open on PostgreSQL.
        with transaction.atomic(using=router.db_for_read(SkippedEvent)):
            return dict(records.values_list("position", "reason"))
    except Exception as error:
        # Whatever keeps the database from answering (no such table, a process that has no
        # database) must not stop a reader of another store: the event counts as malformed.
        logger.info("Cannot look up skipped events of store %r: %s", alias, error)
        return {}


class Reporting(StoreBase):
    """What is done with all that a backend reads: the newest form of events, news of bad ones."""

    def _settled(
        self, namespace: str, read: Callable[[Range], Iterator[Item]], selected: Range
    ) -> Iterator[Item]:
        """Yield what ``read(selected)`` does, in the newest form; tell of malformed events."""
        if selected.nothing:
            return
        reasons = None
        upcasting = are_upcasters_registered()
        for item in read(selected):
            if upcasting:
                item = upcast_item(item)
            if isinstance(item, ReplayError):
                if reasons is None:
                    reasons = skip_reasons(self.alias, namespace)
                item = self._met(namespace, item, reasons)
            yield item

    async def _asettled(
        self, namespace: str, read: Callable[[Range], AsyncGenerator[Item, None]], selected: Range
    ) -> AsyncGenerator[Item, None]:
        """See _settled()."""
        if selected.nothing:
            return
        reasons = None
        upcasting = are_upcasters_registered()
        async with aclosing(read(selected)) as items:
            async for item in items:
                if upcasting:
                    item = upcast_item(item)
                if isinstance(item, ReplayError):
                    if reasons is None:
                        reasons = await sync_to_async(skip_reasons)(self.alias, namespace)
                    item = await sync_to_async(self._met)(namespace, item, reasons)
                yield item

    def _settled_one(self, namespace: str, found: Item | None) -> Item | None:
        """See _settled()."""
        item = None if found is None else upcast_item(found)
        if isinstance(item, ReplayError):
            reasons = skip_reasons(self.alias, namespace)
            return self._met(namespace, item, reasons)
        return item

    async def _asettled_one(self, namespace: str, found: Item | None) -> Item | None:
        """See _settled()."""
        item = None if found is None else upcast_item(found)
        if isinstance(item, ReplayError):
            reasons = await sync_to_async(skip_reasons)(self.alias, namespace)
            return await sync_to_async(self._met)(namespace, item, reasons)
        return item

    def _met(
        self, namespace: str, error: ReplayError, reasons: Mapping[int | None, str]
    ) -> ReplayError:
        """Report a malformed event; return it with the reason, if somebody marked it as skipped."""
        reason = reasons.get(error.position)
        if reason is None:
            self._report(namespace, error)
            return error
        logger.info(
            "%s (store %r, namespace %r), skipped: %s",
            error,
            self.alias,
            namespace,
            reason,
            extra={**self._particulars(namespace, error), "skipped": reason},
        )
        return replace(error, skipped=reason)

    def _report(self, namespace: str, error: ReplayError) -> None:
        logger.warning(
            "%s (store %r, namespace %r)",
            error,
            self.alias,
            namespace,
            extra=self._particulars(namespace, error),
        )
        send(malformed_event_found, self, namespace, error=error)

    def _particulars(self, namespace: str, error: ReplayError) -> dict[str, Any]:
        """Return what log records say of a malformed event beside their text."""
        return {
            "store": self.alias,
            "namespace": namespace,
            "actor_id": error.actor_id,
            "position": error.position,
            "reason": str(error.error),
        }


def events_of(items: Iterator[Item]) -> Iterator[Event]:
    """Leave out the malformed ones."""
    for item in items:
        if not isinstance(item, ReplayError):
            yield item


async def aevents_of(items: AsyncGenerator[Item, None]) -> AsyncGenerator[Event, None]:
    """See events_of()."""
    async with aclosing(items):
        async for item in items:
            if not isinstance(item, ReplayError):
                yield item
