"""Two to six actors side by side, on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from ..events import Event
from .charts import lanes
from .json_tree import brief
from .scanning import scan
from .scope import Scope

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


@dataclass(frozen=True, slots=True)
class History:
    """A part of an actor's history.

    Attributes:
        actor_id: whose.
        events: newest first.
        malformed: how many malformed events stand among them.
        older: the version that the part behind this one begins at; None: there is none.
    """

    actor_id: str
    events: list[Event]
    malformed: int = 0
    older: int | None = None

    @property
    def points(self) -> list[tuple[datetime, str, str]]:
        """The events for a chart: (timestamp, type, label)."""
        return [
            (event.timestamp, event.event_type, f"{event.event_type} {event.version}")
            for event in self.events
        ]


def compare(scope: Scope) -> HttpResponse:
    """Show the newest events of the actors that the address names, in the order of time.

    ``upto`` in the address, once for each actor, is the version where a further page begins.
    The list of actors posts those that were chosen there: they become part of the address.
    """
    if scope.request.method == "POST":
        chosen = scope.request.POST.getlist("actor")[: MOST + 1]
        return HttpResponseRedirect(scope.url("compare", actor=chosen))
    actor_ids = list(dict.fromkeys(filter(None, scope.request.GET.getlist("actor"))))
    problem = ""
    if not FEWEST <= len(actor_ids) <= MOST:
        problem = _("Name two to six actors.") if actor_ids else ""
        actor_ids = actor_ids[:MOST]
    upto = _upto(scope, len(actor_ids))
    histories = []
    if actor_ids and not problem:
        read = [_read(scope, *begin) for begin in zip(actor_ids, upto, strict=True)]
        histories = _cut(read)
    shown = sorted(
        (event for history in histories for event in history.events),
        key=lambda event: (event.timestamp, event.position or 0),
        reverse=True,
    )
    return scope.render(
        "compare.html",
        _("Compare actors"),
        actor_ids=actor_ids,
        inputs=[*actor_ids, *[""] * (MOST - len(actor_ids))],
        problem=problem,
        unknown=[history.actor_id for history in histories if _is_unknown(scope, history)],
        malformed=[history for history in histories if history.malformed],
        rows=[
            Row(
                event,
                [event if event.actor_id == actor_id else None for actor_id in actor_ids],
                brief(scope.shown(event).data, 60) if scope.sees_payload else "",
            )
            for event in shown
        ],
        lanes=lanes([(history.actor_id, history.points) for history in histories])
        if shown
        else None,
        older_url=scope.here(upto=[history.older or 0 for history in histories])
        if any(history.older for history in histories)
        else None,
        newest_url=scope.here(upto=None) if "upto" in scope.request.GET else None,
        crumbs=scope.actor_crumbs(),
    )


def _upto(scope: Scope, actors: int) -> Sequence[int | None]:
    given = [scope.number("upto", text) for text in scope.request.GET.getlist("upto")]
    if given and len(given) != actors:
        raise Http404("upto does not fit the actors")
    return given or [None] * actors


def _read(scope: Scope, actor_id: str, upto: int | None) -> History:
    """Return the newest events of an actor up to a version, and what is behind them."""
    if upto == 0:
        return History(actor_id, [])
    looked = scan(
        scope.store.iter_events_with_errors(actor_id, to_version=upto, reverse=True),
        lambda item: item if isinstance(item, Event) else None,
        scope.deadline,
        wanted=PER_ACTOR + 1,
    )
    events = looked.found
    older = None
    if not looked.done and events:
        # The time may be over before there are so many.
        older = events[-1].version if len(events) > PER_ACTOR else (events[-1].version or 1) - 1
    malformed = looked.looked_at - len(events)
    return History(actor_id, events[:PER_ACTOR], malformed, older)


def _cut(histories: list[History]) -> list[History]:
    """Leave out what is older than the oldest event of a history that goes on behind.

    There would be gaps in it; the next page begins at what is left out.
    """
    cut = max(
        (history.events[-1].timestamp for history in histories if history.older), default=None
    )
    if cut is None:
        return histories
    parts = []
    for history in histories:
        # In the order of versions, which is not always that of the timestamps.
        kept = [place for place, event in enumerate(history.events) if event.timestamp >= cut]
        count = kept[-1] + 1 if kept else 0
        older = history.events[count].version if count < len(history.events) else history.older
        parts.append(replace(history, events=history.events[:count], older=older))
    return parts


def _is_unknown(scope: Scope, history: History) -> bool:
    return (
        not history.events
        and not history.older
        and scope.store.get_latest_version(history.actor_id) == 0
    )
