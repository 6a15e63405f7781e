"""An event store for Django: append-only histories with versions, on your own database or NATS."""

from .conf import event_store, event_stores
from .events import Event, Snapshot
from .exceptions import (
    DuplicateEventError,
    EventStoreError,
    EventTooLargeError,
    InvalidEventError,
    NamespaceCollisionError,
    StoreUnavailableError,
    UnsupportedOperation,
    VersionConflictError,
)
from .metadata import event_metadata
from .replay import ReplayError, ReplayResult
from .sharding import HashRing, HashRingConfig, ShardConfig, ShardManager
from .store import EventStore

__all__ = [
    "DuplicateEventError",
    "Event",
    "EventStore",
    "EventStoreError",
    "EventTooLargeError",
    "HashRing",
    "HashRingConfig",
    "InvalidEventError",
    "NamespaceCollisionError",
    "ReplayError",
    "ReplayResult",
    "ShardConfig",
    "ShardManager",
    "Snapshot",
    "StoreUnavailableError",
    "UnsupportedOperation",
    "VersionConflictError",
    "event_metadata",
    "event_store",
    "event_stores",
]
