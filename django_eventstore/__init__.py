"""An event store for Django: append-only histories with versions, on your own database or NATS."""

from .backends.values import ActorPage, ActorSummary
from .conf import event_store, event_stores
from .events import Event, Replayed, ReplayError, ReplayResult, Snapshot
from .events.metadata import (
    CAUSATION_ID,
    CORRELATION_ID,
    SPAN_ID,
    TRACE_ID,
    USER_ID,
    event_metadata,
)
from .events.upcasting import register_upcaster
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
from .folds import register_fold
from .sharding import HashRing, HashRingConfig, ShardConfig, ShardManager
from .store import MUST_EXIST, EventStore

__all__ = [
    "CAUSATION_ID",
    "CORRELATION_ID",
    "MUST_EXIST",
    "SPAN_ID",
    "TRACE_ID",
    "USER_ID",
    "ActorPage",
    "ActorSummary",
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
    "Replayed",
    "ShardConfig",
    "ShardManager",
    "Snapshot",
    "StoreUnavailableError",
    "UnsupportedOperation",
    "VersionConflictError",
    "event_metadata",
    "event_store",
    "event_stores",
    "register_fold",
    "register_upcaster",
]
