"""The start of a new process that uses Django: this module can be imported before it is set up."""

from __future__ import annotations

from typing import Any

import django
from django.utils.module_loading import import_string


def run(function: str, options: dict[str, Any]) -> None:
    """Set Django up, and call the function with that dotted path."""
    django.setup()
    import_string(function)(**options)
