"""What all reading has in common: malformed events are told of, and may be left out."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from ..events.event import Event
from ..events.results import ReplayError
from ..signals import malformed_event_found
from .base import StoreBase
from .skips import SkipReasons

logger = logging.getLogger("django_eventstore")


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
