#!/usr/bin/env python
"""Run the sample project's commands."""

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sample.settings")
    if os.environ.get("SAMPLE_STORE") == "jetstream" and "EVENT_STORE_URL" not in os.environ:
        from sample.nats import ensure_server

        here = Path(__file__).resolve()
        ensure_server(here, here.parent / "var" / "nats")
    execute_from_command_line(sys.argv)
