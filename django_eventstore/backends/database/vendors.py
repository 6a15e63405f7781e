"""Which vendor's module serves a connection."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

from ...exceptions import UnsupportedOperation
from .mysql import MySQL
from .postgresql import PostgreSQL
from .sqlite import SQLite
from .vendor import Vendor

_VENDORS: dict[str, type[Vendor]] = {"sqlite": SQLite, "postgresql": PostgreSQL, "mysql": MySQL}


def vendor_of(connection: BaseDatabaseWrapper) -> Vendor:
    """Return the vendor of ``connection``.

    Raises:
        UnsupportedOperation: there is none for this kind of database.
    """
    try:
        return _VENDORS[connection.vendor](connection)
    except KeyError:
        raise UnsupportedOperation(
            f"The event store does not work on {connection.display_name}; use SQLite, "
            f"PostgreSQL, MariaDB or MySQL."
        ) from None
