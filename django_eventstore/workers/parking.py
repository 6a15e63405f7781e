"""Events that cannot be applied: put aside, tried again, and then parked with their error.

Later events of the same actor wait behind such an event, so that none is applied out of order;
the other actors go on. The rows are written by the owner of the shard alone, in the transaction
of what it applies. A person decides what becomes of an event that stays parked: ``retry()`` it,
once its cause is gone, or delete the row, and the actor goes on without it.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any, Final

from django.db.models import DateTimeField, Exists, ExpressionWrapper, OuterRef, QuerySet
from django.db.models.functions import Now

from ..events import Event, ReplayError
from ..models import Consumer, ParkedEvent

logger = logging.getLogger("django_eventstore")

FIRST_PAUSE: Final = timedelta(seconds=0.1)
"""How long after the first failure an event is tried again; four times as long each time more."""


class Parking:
    """The parked events of one consumer.

    Args:
        consumer: whose.
        retries: how often an event is tried again by itself.
    """

    def __init__(self, consumer: Consumer, retries: int) -> None:
        self._consumer = consumer
        self._retries = retries
        self._rows: QuerySet[ParkedEvent] = ParkedEvent.objects.using(consumer._state.db).filter(
            consumer=consumer
        )

    def blocked_actors(self) -> set[str]:
        """Return the actors that have parked events."""
        return set(self._rows.exclude(actor_id="").values_list("actor_id", flat=True).distinct())

    def queue(self, item: Event | ReplayError, shard: int) -> None:
        """Put an event behind the parked one of its actor."""
        self._add(item, shard, next_try_at=Now())

    def park(self, item: Event | ReplayError, shard: int, error: Exception) -> None:
        """Put an event aside that could not be applied."""
        logger.error(
            "%s cannot apply the event at position %s: %r",
            self._consumer,
            item.position,
            error,
            exc_info=error,
            extra={
                "consumer": str(self._consumer),
                "namespace": self._consumer.namespace,
                "position": item.position,
                "actor_id": item.actor_id,
            },
        )
        failure = _failure(error)
        self._add(item, shard, attempts=1, error=failure, next_try_at=self._next_try(1))

    def due(self, shards: Collection[int]) -> Iterator[ParkedEvent]:
        """Yield what to try now: of each actor the first parked event alone."""
        before = self._rows.filter(actor_id=OuterRef("actor_id"), position__lt=OuterRef("position"))
        first = ~Exists(before.exclude(actor_id=""))
        rows = self._rows.filter(first, next_try_at__lte=Now())
        return (row for row in rows.order_by("position") if row.shard in shards)

    def has_pending(self) -> bool:
        """Tell whether an event will still be tried again by itself."""
        stuck = self._rows.filter(
            actor_id=OuterRef("actor_id"), position__lt=OuterRef("position"), next_try_at=None
        )
        return self._rows.exclude(next_try_at=None).filter(~Exists(stuck)).exists()

    def failed_again(self, row: ParkedEvent, error: Exception) -> None:
        """Note another failure of a parked event."""
        attempts = row.attempts + 1
        self._rows.filter(pk=row.pk).update(
            attempts=attempts, error=_failure(error), next_try_at=self._next_try(attempts)
        )

    def release(self, row: ParkedEvent) -> None:
        """Remove an event that was applied after all."""
        self._rows.filter(pk=row.pk).delete()

    def retry(self) -> int:
        """Let every parked event be tried again, from the first attempt; return how many."""
        return self._rows.update(attempts=0, next_try_at=Now())

    def _add(self, item: Event | ReplayError, shard: int, **values: Any) -> None:
        ParkedEvent.objects.using(self._consumer._state.db).create(
            consumer=self._consumer,
            position=item.position or 0,
            shard=shard,
            actor_id=item.actor_id or "",
            event_type=item.event_type if isinstance(item, Event) else "",
            **values,
        )

    def _next_try(self, attempts: int) -> Any:
        if attempts > self._retries:
            return None
        pause = FIRST_PAUSE * 4 ** (attempts - 1)
        return ExpressionWrapper(Now() + pause, output_field=DateTimeField())


def _failure(error: Exception) -> str:
    return "".join(traceback.format_exception(error, limit=-5))
