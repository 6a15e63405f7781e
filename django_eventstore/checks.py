"""System checks; they never open a connection.

``eventstore.E001``: a store is misconfigured. Each backend adds its own through
``EventStore.check()``.
"""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from .conf import event_stores


def check_event_stores(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check EVENT_STORES, and each store's own settings."""
    try:
        aliases = list(event_stores)
    except ImproperlyConfigured as error:
        return [_misconfigured(error)]
    messages: list[CheckMessage] = []
    for alias in aliases:
        try:
            store = event_stores[alias]
        except ImproperlyConfigured as error:
            messages.append(_misconfigured(error))
        else:
            messages.extend(store.check())
    return messages


def _misconfigured(error: ImproperlyConfigured) -> Error:
    return Error(
        str(error),
        hint='See "Settings" in the documentation of django-eventstore.',
        id="eventstore.E001",
    )
