"""Events in NATS JetStream: one server or a replicated cluster."""

from .config import JetStreamConfig
from .store import JetStreamEventStore

__all__ = ["JetStreamConfig", "JetStreamEventStore"]
