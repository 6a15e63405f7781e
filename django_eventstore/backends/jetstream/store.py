"""JetStreamEventStore: the facade over NATS JetStream."""

from __future__ import annotations

from ...store import EventStore
from .backend import JetStreamBackend
from .version_cache import HeadCache


class JetStreamEventStore(EventStore):
    """Keeps events in a NATS JetStream stream. See ``docs/jetstream.md``.

    Store objects with the same servers and login share one connection in a process; it stays
    open until the process ends, whatever store objects are closed.
    """

    backend_class = JetStreamBackend
    backend: JetStreamBackend

    @property
    def stream_name(self) -> str:
        """The name of the stream that an operation started now would use."""
        return self.backend.stream_name(self.namespace)

    @property
    def version_cache(self) -> HeadCache:
        """What this process, or a shared cache, remembers of actors' versions."""
        return self.backend.version_cache(self.namespace)
