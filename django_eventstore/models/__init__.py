"""Every table that the app keeps in the project's database, and the fields they are made of."""

from .admin import EventStore
from .consumers import Consumer, ConsumerStatus, ConsumerWorker, ParkedEvent, ShardLease
from .events import ActorRecord, EventRecord, SnapshotRecord
from .replays import ReplayFinding, ReplayRun
from .skipped import SkippedEvent

__all__ = [
    "ActorRecord",
    "Consumer",
    "ConsumerStatus",
    "ConsumerWorker",
    "EventRecord",
    "EventStore",
    "ParkedEvent",
    "ReplayFinding",
    "ReplayRun",
    "ShardLease",
    "SkippedEvent",
    "SnapshotRecord",
]
