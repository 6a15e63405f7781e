"""EventStore, the facade: the same for every backend."""

from .store import MUST_EXIST, EventStore

__all__ = ["MUST_EXIST", "EventStore"]
