"""Malformed events: every read tells of them, and some were marked as skipped.

A skipped event stays where it is. Somebody has looked at it: reads still name it, with the reason,
and replays list it as skipped instead of as an error. The record is ``SkippedEvent``, made in the
admin.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace
from functools import cached_property
from typing import Any

from ..events import Event, ReplayError
from ..signals import malformed_event_found
from .base import StoreBase

logger = logging.getLogger("django_eventstore")


class SkipReasons:
    """Why events of a store were marked as skipped; asks the database on first use.

    Args:
        alias: the store's alias; a store made by hand (None) has no records.
        namespace: the namespace the events are in.
    """

    def __init__(self, alias: str | None, namespace: str) -> None:
        self.alias = alias
        self.namespace = namespace

    def get(self, position: int | None) -> str | None:
        """Return the reason given for the event at ``position``, or None."""
        return None if position is None else self._by_position.get(position)

    @cached_property
    def _by_position(self) -> dict[int, str]:
        if self.alias is None:
            return {}
        try:
            return self._load(self.alias)
        except Exception as error:
            # Whatever keeps the database from answering (no such table, a process that has no
            # database) must not stop a reader of another store: the event counts as malformed.
            logger.info("Cannot look up skipped events of store %r: %s", self.alias, error)
            return {}

    def _load(self, alias: str) -> dict[int, str]:
        from django.db import router, transaction

        from ..models import SkippedEvent

        records = SkippedEvent.objects.filter(store=alias, namespace=self.namespace)
        # A failed query must not spoil a transaction that the caller has open on PostgreSQL.
        with transaction.atomic(using=router.db_for_read(SkippedEvent)):
            return dict(records.values_list("position", "reason"))


class ReadingBase(StoreBase):
    """Tells of malformed events and snapshots."""

    def _met(self, namespace: str, error: ReplayError, reasons: SkipReasons) -> ReplayError:
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
            extra={**self._told(namespace, error), "skipped": reason},
        )
        return replace(error, skipped=reason)

    def _report(self, namespace: str, error: ReplayError) -> None:
        logger.warning(
            "%s (store %r, namespace %r)",
            error,
            self.alias,
            namespace,
            extra=self._told(namespace, error),
        )
        self._send(malformed_event_found, namespace, error=error)

    def _told(self, namespace: str, error: ReplayError) -> dict[str, Any]:
        """Return what log records say of a malformed event beside their text."""
        return {
            "store": self.alias,
            "namespace": namespace,
            "actor_id": error.actor_id,
            "position": error.position,
            "reason": str(error.error),
        }


def events_of(items: Iterator[Event | ReplayError]) -> Iterator[Event]:
    """Leave out the malformed ones."""
    return (item for item in items if not isinstance(item, ReplayError))


async def aevents_of(
    items: AsyncGenerator[Event | ReplayError, None],
) -> AsyncGenerator[Event, None]:
    """See events_of()."""
    async with aclosing(items):
        async for item in items:
            if not isinstance(item, ReplayError):
                yield item
