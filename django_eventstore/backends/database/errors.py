"""What a database's errors mean for the store that is in it."""

from __future__ import annotations

from django.db import DatabaseError, IntegrityError, InterfaceError

from ...exceptions import StoreUnavailableError
from ...models.outages import is_refused
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


def unavailable(
    alias: str, error: DatabaseError | InterfaceError, *, outcome_unknown: bool = False
) -> StoreUnavailableError:
    """Return the error of ours for one that ``is_unavailable``."""
    what = "refuses the login" if is_refused(error) else "did not answer"
    return StoreUnavailableError(
        f"The database {alias!r} {what}: {error}.", outcome_unknown=outcome_unknown
    )
