"""The peer: the recorders of the ``eventsourcing`` library, on the same database.

Appends are its recorder's (its state is encoded JSON, as ours is); reads are its event store's,
which makes event objects of the rows as ours does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
import psycopg
from eventsourcing.domain import DomainEvent
from eventsourcing.persistence import (
    ApplicationRecorder,
    DatetimeAsISO,
    EventStore,
    JSONTranscoder,
    Mapper,
    StoredEvent,
    UUIDAsHex,
)
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from django_eventstore import Event
from tests.servers import PostgresServer


class Happened(DomainEvent):
    """An event of the peer with the fields that ours has."""

    event_type: str
    event_id: str
    data: dict[str, Any]
    metadata: dict[str, str]
    happened_at: datetime


class Peer:
    """One recorder of the peer, with its event store."""

    def __init__(self, recorder: ApplicationRecorder) -> None:
        self.recorder = recorder
        transcoder = JSONTranscoder()
        transcoder.register(UUIDAsHex())
        transcoder.register(DatetimeAsISO())
        self.store = EventStore(Mapper(transcoder), recorder)

    def append(self, events: Sequence[Event]) -> None:
        """Store events with the recorder; encoding is orjson's, as ours is."""
        originator = _originator(events[0].actor_id)
        self.recorder.insert_events(
            [
                StoredEvent(
                    originator,
                    version,
                    event.event_type,
                    orjson.dumps(
                        {
                            "id": event.id,
                            "data": event.data,
                            "metadata": event.metadata,
                            "timestamp": event.timestamp,
                        }
                    ),
                )
                for version, event in enumerate(events, 1)
            ]
        )

    def put(self, events: Sequence[Event]) -> None:
        """Store events with the event store, so that ``read`` can read them."""
        originator = _originator(events[0].actor_id)
        self.store.put(
            [
                Happened(
                    originator_id=originator,
                    originator_version=version,
                    timestamp=event.timestamp,
                    event_type=event.event_type,
                    event_id=event.id,
                    data=event.data,
                    metadata=dict(event.metadata),
                    happened_at=event.timestamp,
                )
                for version, event in enumerate(events, 1)
            ]
        )

    def read(self, actor_id: str) -> list[Any]:
        return list(self.store.get(_originator(actor_id)))

    def latest(self, actor_id: str) -> int:
        found = self.recorder.select_events(_originator(actor_id), desc=True, limit=1)
        return found[0].originator_version

    def stream(self, page: int = 2000) -> int:
        """Read everything in pages and make event objects of it."""
        number, start = 0, 1
        while found := self.recorder.select_notifications(start, page):
            for notification in found:
                self.store.mapper.to_domain_event(notification)
            number += len(found)
            start = found[-1].id + 1
        return number


def postgres_peer(server: PostgresServer, table: str) -> Peer:
    # A schema for each: the function that inserts has one name, whatever the table.
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {table}")
    datastore = PostgresDatastore(
        "postgres",
        server.host,
        server.port,
        server.user,
        "",
        pool_size=8,
        # One function call: its default, a pipeline, hangs at times with 400 kB and more (psycopg
        # 3.3.9, libpq 18).
        enable_db_functions=True,
        schema=table,
    )
    recorder = PostgresApplicationRecorder(datastore, events_table_name=table)
    recorder.create_table()
    return Peer(recorder)


def sqlite_peer(file: str, table: str) -> Peer:
    recorder = SQLiteApplicationRecorder(SQLiteDatastore(file), events_table_name=table)
    recorder.create_table()
    return Peer(recorder)


def _originator(actor_id: str) -> UUID:
    return uuid5(NAMESPACE_URL, actor_id)
