"""What each client process starts with: Django, set up. Imported once, by the fork server."""

from importlib import import_module

import django

django.setup()

# What clients need, and would otherwise import one by one.
for name in ("backends.database", "backends.jetstream"):
    import_module(f"django_eventstore.{name}")
import_module("tests.histories.clients")
