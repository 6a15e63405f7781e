"""Django's ``flush``, which the database would otherwise refuse to empty the table of events."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import flush
from django.db import connections

from ...backends.database import flushing


class Command(flush.Command):
    """Remove all rows, events included: it says so and asks first, and tests need it."""

    def handle(self, **options: Any) -> None:
        with flushing(connections[options["database"]]):
            super().handle(**options)
