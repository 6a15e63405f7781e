"""The start of a new process that uses Django: this module can be imported before it is set up."""

from __future__ import annotations

from typing import Any

import django
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from ..exceptions import EventStoreError


def run(function: str, options: dict[str, Any]) -> None:
    """Set Django up, and call the function with that dotted path.

    An error that says by itself what is wrong ends the process with status 1, and no traceback.
    """
    django.setup()
    try:
        import_string(function)(**options)
    except (EventStoreError, ImproperlyConfigured) as error:
        raise SystemExit(str(error)) from error
