"""Removing old events: the one path on which the database lets events go."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from django.db.backends.base.base import BaseDatabaseWrapper

from .actors import recount
from .tables import EVENTS
from .vendor import Vendor
from .vendors import vendor_of


def flushing(connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
    """Return the block in which Django's flush may empty the table of events, if there is one."""
    if EVENTS in connection.introspection.table_names():
        return vendor_of(connection).deletion_allowed()
    return nullcontext()


def prune(vendor: Vendor, namespace: str, actor_id: str, to_version: int) -> int:
    """Remove the actor's events up to ``to_version``, never its newest; return how many went."""
    with vendor.deletion_allowed(), vendor.connection.cursor() as cursor:
        cursor.execute(
            f"SELECT MAX(version) FROM {EVENTS} WHERE namespace = %s AND actor_id = %s",
            (namespace, actor_id),
        )
        (newest,) = cursor.fetchone()
        if newest is None:
            return 0
        cursor.execute(
            f"DELETE FROM {EVENTS} WHERE namespace = %s AND actor_id = %s AND version <= %s",
            (namespace, actor_id, min(to_version, newest - 1)),
        )
        gone = cursor.rowcount
        if gone:
            recount(vendor, cursor, namespace, actor_id)
    return int(gone)
