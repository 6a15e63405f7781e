"""Running a command in this process."""

from __future__ import annotations

import io
from typing import NamedTuple

from django.core.management import CommandError, call_command


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
