"""Saving, deleting and reading snapshots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db import transaction

from ...events import ReplayError, Snapshot
from .queries import Fetch
from .rows import decode_snapshot
from .tables import SNAPSHOT_COLUMNS, SNAPSHOT_KEY, SNAPSHOTS, key_lists
from .vendor import Vendor

_INSERT: Final = f"INSERT INTO {SNAPSHOTS} ({SNAPSHOT_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s) "


def save(vendor: Vendor, namespace: str, snapshot: Snapshot, state: bytes, kept: int) -> None:
    """Store ``snapshot`` over one at the same version; keep the actor's newest ``kept``."""
    actor_id = snapshot.actor_id
    connection = vendor.connection
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        cursor.execute(
            _INSERT + vendor.or_replace(SNAPSHOT_COLUMNS, SNAPSHOT_KEY),
            (
                namespace,
                actor_id,
                snapshot.version,
                snapshot.schema_version,
                vendor.stored_time(snapshot.timestamp),
                state.decode(),
            ),
        )
        cursor.execute(
            f"SELECT version FROM {SNAPSHOTS} WHERE namespace = %s AND actor_id = %s "
            f"ORDER BY version DESC LIMIT 1 OFFSET {kept}",
            (namespace, actor_id),
        )
        if row := cursor.fetchone():
            cursor.execute(
                f"DELETE FROM {SNAPSHOTS} WHERE namespace = %s AND actor_id = %s AND version <= %s",
                (namespace, actor_id, row[0]),
            )


def delete(
    vendor: Vendor, namespace: str, actor_id: str, from_version: int, to_version: int
) -> int:
    """Delete the actor's snapshots of these versions, inclusive; return how many went."""
    with vendor.connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {SNAPSHOTS} WHERE namespace = %s AND actor_id = %s "
            f"AND version BETWEEN %s AND %s",
            (namespace, actor_id, from_version, to_version),
        )
        return int(cursor.rowcount)


def read(
    vendor: Vendor, fetch: Fetch, namespace: str, actor_id: str, max_version: int | None
) -> Iterator[Snapshot | ReplayError]:
    """Yield the actor's snapshots at or below ``max_version``, newest version first.

    One query each: the first is nearly always the one that is used.
    """
    below = max_version
    timestamp, state = vendor.timestamp.format("s.timestamp"), vendor.text.format("s.state")
    while True:
        condition = ""
        params: list[Any] = [namespace, actor_id]
        if below is not None:
            condition = " AND s.version <= %s"
            params.append(below)
        rows = fetch(
            f"SELECT s.actor_id, s.version, s.schema_version, {timestamp}, {state} "
            f"FROM {SNAPSHOTS} s WHERE s.namespace = %s AND s.actor_id = %s{condition} "
            f"ORDER BY s.version DESC LIMIT 1",
            params,
        )
        if not rows:
            return
        yield decode_snapshot(rows[0], vendor.aware)
        below = rows[0][1] - 1


def versions(fetch: Fetch, namespace: str, actor_ids: Sequence[str]) -> dict[str, int]:
    """Return the version of each actor's newest snapshot; actors without one are left out."""
    found: dict[str, int] = {}
    for some, marks in key_lists(actor_ids):
        found.update(
            fetch(
                f"SELECT actor_id, MAX(version) FROM {SNAPSHOTS} "
                f"WHERE namespace = %s AND actor_id IN ({marks}) GROUP BY actor_id",
                (namespace, *some),
            )
        )
    return found
