"""What an event is: its fields, its checks, its forms as JSON, and what became of reading it."""

from .event import Event, Snapshot
from .results import Replayed, ReplayError, ReplayResult

__all__ = ["Event", "ReplayError", "ReplayResult", "Replayed", "Snapshot"]
