"""The names of tables, columns and constraints, and lists of keys, for SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

EVENTS: Final = "django_eventstore_eventrecord"
ACTORS: Final = "django_eventstore_actorrecord"
SNAPSHOTS: Final = "django_eventstore_snapshotrecord"
# Not models: `flush` must not empty the second.
RETENTION: Final = "django_eventstore_retention"
WRITERS: Final = "django_eventstore_writers"

EVENT_CONTENT: Final = "timestamp, event_id, event_type, command_id, correlation_id, data, metadata"
EVENT_COLUMNS: Final = f"namespace, actor_id, version, {EVENT_CONTENT}"
EVENT_MARKS: Final = "%s, %s, %s, %s, %s, %s, %s, %s, %s, %s"
ACTOR_COLUMNS: Final = "namespace, actor_id, version, event_count, first_timestamp, last_timestamp"
ACTOR_KEY: Final = "namespace, actor_id"
SNAPSHOT_COLUMNS: Final = "namespace, actor_id, version, schema_version, timestamp, state"
SNAPSHOT_KEY: Final = "namespace, actor_id, version"
EVENT_ID_CONSTRAINT: Final = "eventstore_event_id"
VERSION_CONSTRAINT: Final = "eventstore_event_version"

# Fewer than the variables that any SQLite takes in one statement.
_KEYS: Final = 500


def key_lists(keys: Sequence[str]) -> Iterator[tuple[Sequence[str], str]]:
    """Yield the keys, so many at a time as one statement names, and the list of their marks."""
    for start in range(0, len(keys), _KEYS):
        some = keys[start : start + _KEYS]
        yield some, ", ".join(["%s"] * len(some))
