"""Guarantees broken on purpose, in a client's process: the checker has to notice."""

from __future__ import annotations

from typing import Any


def forget_expected_sequence() -> None:
    """JetStream: leave out the header by which the server refuses the second of two writers."""
    from django_eventstore.backends.jetstream import codec
    from django_eventstore.backends.jetstream.appending import appender

    def encode(*arguments: Any) -> tuple[list[bytes], bytes]:
        headers, payload = codec.encode(*arguments)
        kept = [line for line in headers if not line.startswith(b"Nats-Expected-")]
        assert len(kept) < len(headers), "the header goes by another name now"
        return kept, payload

    appender.encode = encode


def forget_expected_version() -> None:
    """Databases: append wherever the actor is, not only where the caller expects it."""
    from django_eventstore.backends.database.backend import DatabaseBackend

    honest = DatabaseBackend.append

    def append(self: Any, namespace: str, events: Any, expected_version: int | None) -> Any:
        return honest(self, namespace, events, None)

    DatabaseBackend.append = append


def read_from_a_stale_cache() -> None:
    """Any store: answer the second of two questions for the latest version from memory."""
    from django_eventstore.store import EventStore

    honest = EventStore.get_latest_version
    answers: dict[str, int] = {}

    def get_latest_version(self: Any, actor_id: str) -> int:
        if actor_id in answers:
            return answers.pop(actor_id)
        answers[actor_id] = honest(self, actor_id)
        return answers[actor_id]

    EventStore.get_latest_version = get_latest_version
