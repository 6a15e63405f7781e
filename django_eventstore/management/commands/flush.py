"""Django's ``flush``, which the database would otherwise refuse to empty the table of events."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from django.core.management.commands import flush
from django.db import connections

from ...backends.database.tables import EVENTS
from ...backends.database.vendors import vendor_of


class Command(flush.Command):
    """Remove all rows, events included: it says so and asks first, and tests need it."""

    def handle(self, **options: Any) -> None:
        connection = connections[options["database"]]
        has_events = EVENTS in connection.introspection.table_names()
        with vendor_of(connection).retention() if has_events else nullcontext():
            super().handle(**options)
