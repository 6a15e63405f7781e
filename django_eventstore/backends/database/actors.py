"""The actors' rows: listing them a page at a time in any order, counting, putting them right."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.db.backends.utils import CursorWrapper

from ...events.validation import MAX_VERSION
from ..values import ActorPage, ActorQuery, ActorSummary, StoreStatistics, make_cursor
from .queries import Fetch
from .tables import ACTOR_COLUMNS, ACTOR_KEY, ACTORS, EVENTS, key_lists
from .vendor import Vendor

_COLUMNS: Final = {
    "actor_id": "actor_id",
    "latest_version": "version",
    "event_count": "event_count",
    "first_timestamp": "first_timestamp",
    "last_timestamp": "last_timestamp",
}


def summaries(
    vendor: Vendor, fetch: Fetch, namespace: str, actor_ids: Sequence[str]
) -> dict[str, ActorSummary]:
    """Return the summary of each of ``actor_ids``; those without events are left out."""
    found: dict[str, ActorSummary] = {}
    for some, marks in key_lists(actor_ids):
        rows = fetch(
            f"SELECT {_summary_columns(vendor)} FROM {ACTORS} a WHERE a.namespace = %s "
            f"AND a.actor_id IN ({marks})",
            [namespace, *some],
        )
        found.update((row[0], _summary(vendor, row)) for row in rows)
    return found


def page(vendor: Vendor, fetch: Fetch, namespace: str, query: ActorQuery) -> ActorPage:
    """Return the page that ``Backend.list_actors()`` asks for."""
    name = query.name
    direction, comparison = ("DESC", "<") if query.descending else ("ASC", ">")
    column = f"a.{_COLUMNS[name]}"
    where, params = "a.namespace = %s", [namespace]
    if query.search:
        where += f" AND {vendor.contains.format('a.actor_id')}"
        params.append(query.search)
    after = query.after
    if after is not None:
        value, actor_id = after
        if name == "actor_id":
            where += f" AND a.actor_id {comparison} %s"
            params.append(actor_id)
        else:
            value = vendor.stored_time(value) if name.endswith("_timestamp") else value
            where += (
                f" AND {column} {comparison}= %s"
                f" AND ({column} {comparison} %s OR a.actor_id {comparison} %s)"
            )
            params += [value, value, actor_id]
    order = f"a.actor_id {direction}"
    if name != "actor_id":
        order = f"{column} {direction}, {order}"
    rows = fetch(
        f"SELECT {_summary_columns(vendor)} FROM {ACTORS} a WHERE {where} "
        f"ORDER BY {order} LIMIT {min(query.limit + 1, MAX_VERSION)}",
        params,
    )
    actors = [_summary(vendor, row) for row in rows[: query.limit]]
    if len(rows) <= query.limit:
        return ActorPage(actors)
    final = actors[-1]
    return ActorPage(actors, make_cursor(query.order_by, getattr(final, name), final.actor_id))


def _summary_columns(vendor: Vendor) -> str:
    first, last = (vendor.timestamp.format(f"a.{each}_timestamp") for each in ("first", "last"))
    return f"a.actor_id, a.version, a.event_count, {first}, {last}"


def _summary(vendor: Vendor, row: tuple[Any, ...]) -> ActorSummary:
    actor_id, version, count, first, last = row
    return ActorSummary(actor_id, version, count, _time(vendor, first), _time(vendor, last))


def _time(vendor: Vendor, stored: Any) -> datetime | None:
    try:
        return vendor.aware(stored)
    except ValueError:  # a malformed event's
        return None


def statistics(fetch: Fetch, namespace: str) -> StoreStatistics:
    """Return how many actors there are, and events by what the actors' rows say."""
    ((actors, events),) = fetch(
        f"SELECT COUNT(*), SUM(event_count) FROM {ACTORS} WHERE namespace = %s", (namespace,)
    )
    return StoreStatistics(int(events or 0), actors)


def recount(vendor: Vendor, cursor: CursorWrapper, namespace: str, actor_id: str) -> None:
    """Make the actor's row say what its events do, inside a transaction."""
    # Locked first: what is counted must still be so when it is written.
    vendor.lock_actors(cursor, namespace, [actor_id], datetime.now(UTC))
    cursor.execute(_RECOUNT + vendor.or_replace(ACTOR_COLUMNS, ACTOR_KEY), (namespace, actor_id))
    cursor.execute(_REMOVE_WITHOUT_EVENTS, (namespace, actor_id))


_RECOUNT: Final = f"""
    INSERT INTO {ACTORS} ({ACTOR_COLUMNS})
    SELECT s.namespace, s.actor_id, s.newest, s.number, first.timestamp, last.timestamp
    FROM (
        SELECT namespace, actor_id, COUNT(*) AS number, MIN(version) AS oldest,
            MAX(version) AS newest
        FROM {EVENTS} WHERE namespace = %s AND actor_id = %s GROUP BY namespace, actor_id
    ) s
    JOIN {EVENTS} first ON first.namespace = s.namespace AND first.actor_id = s.actor_id
        AND first.version = s.oldest
    JOIN {EVENTS} last ON last.namespace = s.namespace AND last.actor_id = s.actor_id
        AND last.version = s.newest
    WHERE true
    """
_REMOVE_WITHOUT_EVENTS: Final = f"""
    DELETE FROM {ACTORS} WHERE namespace = %s AND actor_id = %s AND NOT EXISTS (
        SELECT 1 FROM {EVENTS} e
        WHERE e.namespace = {ACTORS}.namespace AND e.actor_id = {ACTORS}.actor_id)
    """
