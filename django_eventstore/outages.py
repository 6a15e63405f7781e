"""What errors of a Django database mean, told by their codes: the one place that knows them."""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, ProgrammingError

# https://www.sqlite.org/rescode.html: the statement itself is wrong (no such table, ...).
_SQLITE_ERROR = 1
# Serialization failure, deadlock; lock wait timeout, deadlock.
_TRY_AGAIN_SQLSTATES = frozenset({"40001", "40P01"})
_TRY_AGAIN_MYSQL = frozenset({1205, 1213})
# Wrong user or password; a password is missing.
_REFUSED_MYSQL = frozenset({1045, 1698})
# The same, by PostgreSQL's words: where it cannot connect, libpq gives no code. A server that
# speaks another language (lc_messages) is not understood.
_REFUSED_POSTGRESQL = ("password authentication failed for user", "no password supplied")
# Server gone, connection lost, connection killed.
_LOST_MYSQL = frozenset({0, 1927, 2006, 2013, 2055, 4031})


def should_try_again(error: Exception) -> bool:
    """Tell whether the same transaction, done again, may well succeed (it changed nothing)."""
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return sqlstate in _TRY_AGAIN_SQLSTATES or _mysql_code(error) in _TRY_AGAIN_MYSQL


def is_lost(error: Exception) -> bool:
    """Tell whether the connection broke, so that nobody knows what became of the statement."""
    if isinstance(error, InterfaceError):
        return True
    cause: Any = error.__cause__
    if hasattr(cause, "sqlstate"):
        state = cause.sqlstate
        # Class 08: connection exceptions; 57P: the server was shut down.
        return state is None or state.startswith(("08", "57P0"))
    return _mysql_code(error) in _LOST_MYSQL


def is_unavailable(error: Exception) -> bool:
    """Tell whether ``error`` says that the database cannot be reached or is too busy."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    return getattr(error.__cause__, "sqlite_errorcode", None) != _SQLITE_ERROR


def is_refused(error: Exception) -> bool:
    """Tell whether ``error`` certainly says that the database does not accept the login."""
    if not isinstance(error, OperationalError):
        return False
    if _mysql_code(error) in _REFUSED_MYSQL:
        return True
    connected = getattr(error.__cause__, "sqlstate", None) is not None
    return not connected and any(words in str(error) for words in _REFUSED_POSTGRESQL)


def explain(error: DatabaseError | InterfaceError) -> str:
    """Return what the database said, and what may be the cause."""
    text = str(error).strip()
    if is_refused(error):
        return f"{text} (are USER and PASSWORD in DATABASES right?)"
    if isinstance(error, OperationalError | ProgrammingError) and not is_unavailable(error):
        return f"{text} (have all migrations been applied, with migrate?)"
    return text


def _mysql_code(error: Exception) -> int | None:
    code = error.args[0] if error.args else None
    return code if isinstance(code, int) else None
