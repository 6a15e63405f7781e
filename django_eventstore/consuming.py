"""The loop of whatever works on leased shards: projection workers and forwarders."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Final

from django.db import DatabaseError, InterfaceError, connections

from .consumer_models import Consumer
from .exceptions import LeaseLost, StoreUnavailableError
from .leases import ShardLeases
from .store import EventStore
from .subscriptions import Pacing, Stop

logger = logging.getLogger("django_eventstore")

_LOOK_SECONDS: Final = 0.5
"""How often a worker looks whether others came or went, to share with them."""


class LeasedWork(ABC):
    """Does one thing after another on the shards that it holds, through failures of servers.

    Args:
        consumer: whose shards.
        store: what is read; in the namespace of the consumer.
        stop: set it and the loop ends after the thing that it is at.
        lease, exclusive: see ``ShardLeases``.
    """

    def __init__(
        self,
        consumer: Consumer,
        store: EventStore,
        *,
        stop: Stop | None,
        lease: timedelta,
        exclusive: bool = False,
    ) -> None:
        self.consumer = consumer
        self.store = store.with_namespace(consumer.namespace)
        self.using = str(consumer._state.db)
        self.leases = ShardLeases(consumer, lease=lease, exclusive=exclusive)
        self._stop = stop
        self._next_look = 0.0
        self._next_balance = 0.0

    @abstractmethod
    def work(self) -> bool:
        """Do one thing with the shards held (at least one); tell whether there was any."""

    @abstractmethod
    def is_done(self) -> bool:
        """Tell whether to end, now that there is nothing to do."""

    def loop(self) -> None:
        """Become a member, and work until told to stop, or done."""
        with self.leases.membership():
            self.keep_working()

    def keep_working(self) -> None:
        """Work, as a member, until told to stop, or done."""
        with closing(self.store._watch(self.consumer.namespace)) as watch:
            pacing = Pacing(watch, self._stop)
            while not pacing.stopped():
                worked = self._survive(self._step, pacing)
                if worked:
                    pacing.found_something()
                    continue
                if worked is False:
                    pacing.found_nothing()
                    if self._survive(self.is_done, pacing):
                        break
                pacing.wait()

    def stopped(self) -> bool:
        """Tell whether somebody said to stop; for things that take long."""
        return self._stop is not None and self._stop.is_set()

    def all_are_at(self, position: int) -> bool:
        """Tell whether all shards are at ``position``; this worker's are as far as they can be."""
        # Those of others may be left to them, but one that seems alive may be dead since a moment
        # ago.
        return not self.balance() and self.leases.others_are_at(position)

    def balance(self) -> bool:
        """Give up and take shards; tell whether others are held than before."""
        changed = self.leases.balance()
        now = time.monotonic()
        self._next_look = now + _LOOK_SECONDS
        self._next_balance = now + self.leases.balance_seconds
        return changed

    def start_over(self) -> None:
        """Drop what is in memory; the next step reads from the database how far the work is.

        For when it is not known what became of a transaction.
        """
        self.leases.forget()
        self._next_balance = 0.0

    def _step(self) -> bool:
        if self._is_time_to_balance():
            self.balance()
        return bool(self.leases.positions) and self.work()

    def _is_time_to_balance(self) -> bool:
        now = time.monotonic()
        if now >= self._next_balance:
            return True
        if now < self._next_look:
            return False
        self._next_look = now + _LOOK_SECONDS
        return self.leases.members_changed()

    def _survive(self, act: Callable[[], bool], pacing: Pacing) -> bool | None:
        """Return what ``act`` does, or None where a server or the shards were lost."""
        try:
            done = act()
        except LeaseLost as error:
            logger.warning("%s", error)
        except (StoreUnavailableError, DatabaseError, InterfaceError) as error:
            logger.warning(
                "%s cannot go on, and tries again: %s",
                self.consumer,
                error,
                extra={"consumer": str(self.consumer), "reason": str(error)},
            )
            self.leases.error = str(error)
            # The next query connects anew, where the connection is broken.
            connections[self.using].close_if_unusable_or_obsolete()
            pacing.failed()
        else:
            self.leases.error = ""
            return done
        self.start_over()
        return None
