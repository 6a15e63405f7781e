"""The loop of whatever works on leased shards, and waiting for servers that are away."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Final, TypedDict, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    close_old_connections,
)

from ..backends.watch import Watch
from ..exceptions import LeaseLost, StoreUnavailableError
from ..models import Consumer
from ..outages import explain, is_refused, is_unavailable
from ..store import EventStore
from ..store.subscriptions import Pacing, Stop
from .leases import DEFAULT_LEASE, ShardLeases

logger = logging.getLogger("django_eventstore")

_LOOK_SECONDS: Final = 0.5
"""How often a worker looks whether others came or went, to share with them."""

Made = TypeVar("Made")


def make_when_possible(make: Callable[[], Made], name: str, stop: Stop | None) -> Made | None:
    """Return what ``make`` returns, as soon as the database that it asks is there.

    Args:
        make: called again, with growing pauses, while the database cannot be reached.
        name: what is to start; for the log.
        stop: ends the wait.

    Returns:
        None: it was told to stop before.

    Raises:
        ImproperlyConfigured: the database is there and refuses: the login, or to do this, as
            where tables are missing.
    """
    pacing = Pacing(Watch(), stop)
    while not pacing.stopped():
        try:
            return make()
        except (OperationalError, ProgrammingError, InterfaceError) as error:
            if is_refused(error) or not is_unavailable(error):
                raise ImproperlyConfigured(f"{name} cannot start: {explain(error)}") from error
            _prepare_next_try(name, "start", error, pacing)
            pacing.wait()
    return None


def _prepare_next_try(consumer: str, what: str, error: Exception, pacing: Pacing) -> None:
    """Say what a consumer waits for; let the next try connect anew, after a longer pause."""
    logger.warning(
        "%s cannot %s, and tries again: %s",
        consumer,
        what,
        str(error).strip(),
        extra={"consumer": consumer, "reason": str(error)},
    )
    # This thread's that are broken.
    close_old_connections()
    pacing.failed()


class WorkOptions(TypedDict, total=False):
    """How to work; see ``LeasedWork``."""

    stop: Stop | None
    lease: timedelta
    exclusive: bool


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
        stop: Stop | None = None,
        lease: timedelta = DEFAULT_LEASE,
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
        """Work as a member until told to stop, or done."""
        with self.leases.membership():
            self.keep_working()

    def keep_working(self) -> None:
        """Work, as a member, until told to stop, or done."""
        with closing(self.store.backend.watch(self.consumer.namespace)) as watch:
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
            self.leases.error = str(error)
            _prepare_next_try(str(self.consumer), "go on", error, pacing)
        else:
            self.leases.error = ""
            return done
        self.start_over()
        return None
