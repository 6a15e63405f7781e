"""What a database's errors mean for the store that is in it."""

from __future__ import annotations

from typing import NoReturn

from django.db import DatabaseError, IntegrityError, InterfaceError
from django.db.backends.base.base import BaseDatabaseWrapper

from ...exceptions import StoreUnavailableError
from ...outages import is_lost, is_refused, is_unavailable
from .tables import EVENT_ID_CONSTRAINT, EVENTS, VERSION_CONSTRAINT


def violated_constraint(error: IntegrityError) -> str | None:
    """Return the name of the unique constraint of events that ``error`` tells of, or None."""
    cause = error.__cause__
    if diagnostics := getattr(cause, "diag", None):
        return str(diagnostics.constraint_name)
    text = str(error)
    for constraint, column in ((EVENT_ID_CONSTRAINT, "event_id"), (VERSION_CONSTRAINT, "version")):
        # MySQL names the constraint, SQLite the columns.
        if constraint in text or f"{EVENTS}.{column}" in text:
            return constraint
    return None


def raise_translated(
    connection: BaseDatabaseWrapper,
    error: DatabaseError | InterfaceError,
    *,
    outcome_unknown: bool = False,
) -> NoReturn:
    """Raise ``error``, or ours where it says that the database cannot be reached.

    A connection that is lost is closed, so that the next call connects anew: outside of requests
    nobody else sees to that.
    """
    if not is_unavailable(error):
        raise error
    if is_lost(error) and not connection.in_atomic_block:
        connection.close()
    what = "refuses the login" if is_refused(error) else "did not answer"
    raise StoreUnavailableError(
        f"The database {connection.alias!r} {what}: {error}.", outcome_unknown=outcome_unknown
    ) from error
