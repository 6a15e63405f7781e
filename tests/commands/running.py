"""Running a command in this process, and changing what is stored behind the store's back."""

from __future__ import annotations

import io
from typing import NamedTuple

from django.core.management import CommandError, call_command
from django.db import connection

from django_eventstore.backends.database.tables import EVENT_COLUMNS, EVENTS
from django_eventstore.backends.database.vendors import vendor_of


class Ended(NamedTuple):
    """How a command ended: exit status, standard output, standard error with the error's text."""

    status: int
    out: str
    err: str


def run(name: str, *arguments: str, **options) -> Ended:
    """Run the command as ``manage.py`` does, but for the process."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(name, *map(str, arguments), stdout=out, stderr=err, **options)
    except CommandError as error:
        return Ended(error.returncode, out.getvalue(), f"{err.getvalue()}{error}")
    return Ended(0, out.getvalue(), err.getvalue())


def remove(position: int) -> None:
    """Remove a stored event, as the triggers let nobody else do."""
    with vendor_of(connection).retention(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {EVENTS} WHERE position = %s", [position])
        assert cursor.rowcount == 1


def tamper(position: int, **fields: object) -> None:
    """Change fields of a stored event, as the triggers let nobody else do."""
    with connection.cursor() as cursor:
        columns = f"position, {EVENT_COLUMNS}"
        cursor.execute(f"SELECT {columns} FROM {EVENTS} WHERE position = %s", [position])
        row = dict(zip(columns.split(", "), cursor.fetchone(), strict=True)) | fields
        remove(position)
        marks = ", ".join(["%s"] * len(row))
        cursor.execute(f"INSERT INTO {EVENTS} ({columns}) VALUES ({marks})", list(row.values()))
