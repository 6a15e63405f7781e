"""System checks; they never open a connection.

``eventstore.E001``: a store is misconfigured. Each backend adds its own through
``EventStore.check()`` and, for ``check --deploy``, ``EventStore.check_deployment()``.
"""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from .conf import event_stores
from .store import EventStore


def check_event_stores(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check EVENT_STORES, and each store's own settings."""
    stores, errors = _configured()
    hint = 'See "Settings" in the documentation of django-eventstore.'
    return [
        *(Error(str(error), hint=hint, id="eventstore.E001") for error in errors),
        *(message for each in stores for message in each.check()),
    ]


def check_durability(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Warn of settings that may lose acknowledged events; for ``check --deploy``."""
    stores, _ = _configured()
    return [message for each in stores for message in each.check_deployment()]


def _configured() -> tuple[list[EventStore], list[ImproperlyConfigured]]:
    """Return the stores, and why there are no others."""
    stores: list[EventStore] = []
    errors: list[ImproperlyConfigured] = []
    try:
        aliases = list(event_stores)
    except ImproperlyConfigured as error:
        return stores, [error]
    for alias in aliases:
        try:
            stores.append(event_stores[alias])
        except ImproperlyConfigured as error:
            errors.append(error)
    return stores, errors
