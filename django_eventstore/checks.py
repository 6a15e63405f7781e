"""System checks; they never open a connection.

``eventstore.E001``: a store is misconfigured. Each backend adds its own through
``EventStore.check()`` and, for ``check --deploy``, ``EventStore.check_deployment()``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from .conf import event_stores
from .store import EventStore


def check_event_stores(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check EVENT_STORES, and each store's own settings."""
    return _ask_stores(lambda store: store.check(), _misconfigured)


def check_durability(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Warn of settings that may lose acknowledged events; for ``check --deploy``."""
    return _ask_stores(lambda store: store.check_deployment(), lambda error: None)


def _ask_stores(
    ask: Callable[[EventStore], list[CheckMessage]],
    refuse: Callable[[ImproperlyConfigured], CheckMessage | None],
) -> list[CheckMessage]:
    """Return what the configured stores have to say, and of the settings of those that cannot be.

    Args:
        ask: what to ask a store.
        refuse: what to say of wrong settings; None: nothing.
    """
    messages: list[CheckMessage | None] = []
    try:
        aliases = list(event_stores)
    except ImproperlyConfigured as error:
        messages.append(refuse(error))
        aliases = []
    for alias in aliases:
        try:
            store = event_stores[alias]
        except ImproperlyConfigured as error:
            messages.append(refuse(error))
        else:
            messages.extend(ask(store))
    return [message for message in messages if message is not None]


def _misconfigured(error: ImproperlyConfigured) -> Error:
    return Error(
        str(error),
        hint='See "Settings" in the documentation of django-eventstore.',
        id="eventstore.E001",
    )
