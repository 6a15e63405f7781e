"""Events in the project's own database: SQLite, PostgreSQL, MariaDB or MySQL."""

from .pruning import flushing
from .store import DatabaseEventStore

__all__ = ["DatabaseEventStore", "flushing"]
