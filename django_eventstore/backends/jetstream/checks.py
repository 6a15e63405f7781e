"""What a system check has to say of a JetStream store's options."""

from __future__ import annotations

from django.core.cache import caches
from django.core.cache.backends.base import InvalidCacheBackendError
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004

from .config import JetStreamConfig


def check_options(alias: str | None, options: JetStreamConfig) -> list[CheckMessage]:
    """Return what is worth knowing before the store is used."""
    messages: list[CheckMessage] = []
    where = f"EVENT_STORES[{alias!r}]"
    if options.max_age is not None:
        messages.append(
            Warning(
                f"{where}: events are removed once they are {options.max_age.days} days old.",
                hint='Set "max_age": None to keep them for ever, or silence this check if it is '
                "what you want.",
                id="eventstore.W101",
            )
        )
    if options.version_cache:
        try:
            caches[options.version_cache]
        except InvalidCacheBackendError:
            messages.append(
                Error(
                    f"{where}: version_cache names no cache of CACHES: {options.version_cache!r}.",
                    hint="Add the alias to CACHES, or leave the option out.",
                    id="eventstore.E101",
                )
            )
    return messages
