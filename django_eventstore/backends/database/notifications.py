"""PostgreSQL's NOTIFY and LISTEN: subscriptions hear of appends at once.

A notification is sent after the commit, in a statement of its own: as part of the transaction it
would make all commits wait for each other (PostgreSQL takes one lock for it, over the whole
server). And seldom: after one, a subscriber reads at short intervals for a while anyway.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.db import DatabaseError, InterfaceError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from ..watch import Watch

logger = logging.getLogger("django_eventstore")

CHANNEL: Final = "django_eventstore"
_INTERVAL: Final = 0.02
"""The shortest time between two notifications of a namespace from one process, in seconds."""

_last_sent: dict[tuple[str, str], float] = {}


def announce_append(connection: BaseDatabaseWrapper, namespace: str) -> None:
    """Tell subscriptions, once the transaction is committed, that there is something to read."""
    now = time.monotonic()
    key = (connection.alias, namespace)
    if now - _last_sent.get(key, 0.0) < _INTERVAL or not can_listen(connection):
        return
    _last_sent[key] = now

    def notify() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", (CHANNEL, namespace))

    # The events are stored: that this fails is logged, and nothing to the caller.
    transaction.on_commit(notify, using=connection.alias, robust=True)


class PostgresWatch(Watch):
    """Listens on a connection of its own, because a subscription's other work must not wait.

    Args:
        alias: the alias in ``DATABASES``.
        namespace: the namespace to hear of.
    """

    longest_pause = 1.0

    def __init__(self, alias: str, namespace: str) -> None:
        self._alias = alias
        self._namespace = namespace
        self._wrapper: BaseDatabaseWrapper | None = None

    def wait(self, seconds: float) -> bool:
        import psycopg

        try:
            if self._wrapper is None:
                self._wrapper = self._listen()
                # What came before this was not heard.
                return True
            driver: Any = self._wrapper.connection
            notices = list(driver.notifies(timeout=seconds, stop_after=1))
            return any(notice.payload == self._namespace for notice in notices)
        # The driver's own errors come from notifies(), which goes past Django's cursors.
        except (DatabaseError, InterfaceError, psycopg.Error) as error:
            logger.info("Cannot listen to the database %r: %s", self._alias, error)
            self.close()
            time.sleep(seconds)
            return False

    async def await_(self, seconds: float) -> bool:
        return await sync_to_async(self.wait, thread_sensitive=False)(seconds)

    def close(self) -> None:
        if self._wrapper is not None:
            self._wrapper.close()
            self._wrapper = None

    def _listen(self) -> BaseDatabaseWrapper:
        wrapper: BaseDatabaseWrapper = connections[self._alias].copy()
        wrapper.inc_thread_sharing()
        with wrapper.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        return wrapper


def can_listen(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether this is PostgreSQL, by psycopg 3."""
    if connection.vendor != "postgresql":
        return False
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    return bool(is_psycopg3)
