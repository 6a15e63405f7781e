"""Two to six actors side by side, on one time axis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.http import HttpResponse
from django.utils.translation import gettext as _

from ..events import Event
from .charts import lanes
from .filters import moment
from .folding import version_at
from .json_tree import brief
from .scope import Crumb, Scope

FEWEST: Final = 2
MOST: Final = 6
PER_ACTOR: Final = 40
"""How many events of each actor a page shows at the most."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line: one event, in the column of its actor."""

    event: Event
    cells: list[Event | None]
    brief: str


def compare(scope: Scope) -> HttpResponse:
    """Show the newest events of the actors that the address names, in the order of time."""
    actor_ids = list(dict.fromkeys(filter(None, scope.request.GET.getlist("actor"))))
    problem = ""
    if not FEWEST <= len(actor_ids) <= MOST:
        problem = _("Name two to six actors.") if actor_ids else ""
        actor_ids = actor_ids[:MOST]
    until = moment(scope, "until", end=True)
    histories = {}
    cut = None
    if not problem and actor_ids:
        histories = {actor_id: _events(scope, actor_id, until) for actor_id in actor_ids}
        # What is older than the oldest event of a cut history would have gaps in it.
        full = [events for events in histories.values() if len(events) == PER_ACTOR]
        cut = max((events[-1].timestamp for events in full), default=None)
    unknown = [actor_id for actor_id, events in histories.items() if not events]
    shown = [
        event
        for events in histories.values()
        for event in events
        if cut is None or event.timestamp >= cut
    ]
    shown.sort(key=lambda event: (event.timestamp, event.position or 0), reverse=True)
    return scope.render(
        "compare.html",
        _("Compare actors"),
        actor_ids=actor_ids,
        inputs=[*actor_ids, *[""] * (MOST - len(actor_ids))],
        problem=problem,
        unknown=unknown,
        rows=[_row(scope, event, actor_ids) for event in shown],
        lanes=lanes(
            [
                (
                    actor_id,
                    [
                        (event.timestamp, event.event_type, f"{event.event_type} {event.version}")
                        for event in shown
                        if event.actor_id == actor_id
                    ],
                )
                for actor_id in actor_ids
            ]
        )
        if shown
        else None,
        older_url=scope.here(until=cut.isoformat()) if cut else None,
        newest_url=scope.here(until=None) if until else None,
        crumbs=[
            Crumb(scope.label, scope.url("store")),
            Crumb(_("Actors"), scope.url("actors")),
        ],
    )


def _events(scope: Scope, actor_id: str, until: datetime | None) -> list[Event]:
    """Return the newest events of an actor up to a moment, newest first."""
    latest = scope.store.get_latest_version(actor_id)
    if until is not None:
        latest = version_at(scope.store, actor_id, latest, until)
    if latest == 0:
        return []
    return scope.store.get_events(actor_id, to_version=latest, limit=PER_ACTOR, reverse=True)


def _row(scope: Scope, event: Event, actor_ids: list[str]) -> Row:
    return Row(
        event,
        [event if event.actor_id == actor_id else None for actor_id in actor_ids],
        brief(scope.shown(event).data, 60) if scope.sees_payload else "",
    )
