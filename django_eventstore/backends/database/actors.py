"""Listing actors, a page at a time behind the last one shown, in any order."""

from __future__ import annotations

from typing import Any, Final

from ..base import ActorPage, ActorSummary, make_cursor, read_cursor
from .queries import Fetch
from .tables import ACTORS
from .vendor import Vendor

_COLUMNS: Final = {
    "actor_id": "actor_id",
    "latest_version": "version",
    "event_count": "event_count",
    "first_timestamp": "first_timestamp",
    "last_timestamp": "last_timestamp",
}


def page(
    vendor: Vendor,
    fetch: Fetch,
    namespace: str,
    search: str,
    order_by: str,
    limit: int,
    cursor: str | None,
) -> ActorPage:
    """Return the page that ``_list_actors()`` asks for."""
    name = order_by.removeprefix("-")
    direction, comparison = ("DESC", "<") if order_by.startswith("-") else ("ASC", ">")
    column = f"a.{_COLUMNS[name]}"
    where, params = "a.namespace = %s", [namespace]
    if search:
        where += f" AND {vendor.contains.format('a.actor_id')}"
        params.append(search)
    if cursor is not None:
        value, actor_id = read_cursor(cursor, order_by)
        if name == "actor_id":
            where += f" AND a.actor_id {comparison} %s"
            params.append(actor_id)
        else:
            value = vendor.moment(value) if name.endswith("_timestamp") else value
            where += (
                f" AND {column} {comparison}= %s"
                f" AND ({column} {comparison} %s OR a.actor_id {comparison} %s)"
            )
            params += [value, value, actor_id]
    order = f"a.actor_id {direction}"
    if name != "actor_id":
        order = f"{column} {direction}, {order}"
    first, last = (vendor.timestamp.format(f"a.{each}_timestamp") for each in ("first", "last"))
    rows = fetch(
        f"SELECT a.actor_id, a.version, a.event_count, {first}, {last} "
        f"FROM {ACTORS} a WHERE {where} ORDER BY {order} LIMIT {limit + 1}",
        params,
    )
    actors = [_summary(vendor, row) for row in rows[:limit]]
    if len(rows) <= limit:
        return ActorPage(actors)
    return ActorPage(actors, make_cursor(order_by, getattr(actors[-1], name), actors[-1].actor_id))


def _summary(vendor: Vendor, row: tuple[Any, ...]) -> ActorSummary:
    actor_id, version, count, first, last = row
    return ActorSummary(actor_id, version, count, vendor.aware(first), vendor.aware(last))
