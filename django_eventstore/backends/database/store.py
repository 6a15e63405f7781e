"""DatabaseEventStore: the facade over the project's own database."""

from __future__ import annotations

from ...store import EventStore
from .backend import DatabaseBackend


class DatabaseEventStore(EventStore):
    """Keeps events in a database of the project: SQLite, PostgreSQL, MariaDB or MySQL.

    An event saved inside ``transaction.atomic(using=store.database)`` is committed or rolled
    back with the caller's rows. A refused save leaves that transaction usable.

    ``read_all()`` yields what is final and stops in front of a position whose transaction is
    still open, after waiting for it a short while; going on with ``after=`` later misses nothing.
    With ``reverse=True`` it shows what is committed now, and its positions are no checkpoint.
    """

    backend_class = DatabaseBackend
    backend: DatabaseBackend

    @property
    def database(self) -> str:
        """The alias in ``DATABASES``."""
        return self.backend.database
