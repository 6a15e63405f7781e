"""What a system check has to say of a JetStream store's options."""

from __future__ import annotations

from django.core.cache import caches
from django.core.cache.backends.base import InvalidCacheBackendError
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004

from .config import JetStreamConfig


def check_durability(alias: str | None, options: JetStreamConfig) -> list[CheckMessage]:
    """Return by which of its options the store may lose acknowledged events."""
    where = f"EVENT_STORES[{alias!r}]"
    if options.storage == "memory":
        return [
            Warning(
                f"{where} keeps events in the memory of the NATS servers: they are gone when the "
                f"servers end.",
                hint='Set "storage": "file", or silence this check if such a loss is acceptable.',
                id="eventstore.W103",
            )
        ]
    if options.replicas == 1:
        return [
            Warning(
                f"{where} keeps each event on one NATS server, which acknowledges it before it is "
                f"forced to disk: when that machine dies, the events of the last two minutes may "
                f"be lost, and with its disk all of them.",
                hint='Set "replicas": 3 with three servers in separate failure domains; or set '
                '"sync_interval: always" in the server\'s configuration and silence this check. '
                "See the documentation on durability.",
                id="eventstore.W102",
            )
        ]
    return []


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
