"""The start of a new process that uses Django: this module can be imported before it is set up."""

from __future__ import annotations

import signal
from typing import Any

import django
from django.utils.module_loading import import_string


def run(function: str, options: dict[str, Any]) -> None:
    """Set Django up, and call the function with that dotted path."""
    # Ctrl-C reaches the whole group, and the parent then tells us to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    django.setup()
    import_string(function)(**options)
