"""The events that are written: like those of a permit process, some 300 bytes of JSON each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from django_eventstore import Event

_numbers = count()


def actor_id() -> str:
    """Return the id of an actor that has no events yet."""
    return f"permit-case-{next(_numbers)}"


def data(number: int) -> dict[str, object]:
    """Return the data of one event."""
    return {
        "case:startdate": "2011-10-11T13:42:22.688+02:00",
        "case:responsible": f"Resource{number % 50}",
        "case:enddate_planned": "2011-12-06T13:41:31.788+01:00",
        "case:department": "General",
        "case:channel": "Internet",
        "org:group": f"Group {number % 9}",
        "concept:instance": f"task-{number}",
        "lifecycle:transition": "complete",
    }


METADATA = {"correlation_id": "case-10011", "user_id": "Resource21"}


def events(actor: str, number: int) -> list[Event]:
    """Return ``number`` new events of ``actor``."""
    return [
        Event(actor, "T02 Check confirmation of receipt", data(index), metadata=METADATA)
        for index in range(number)
    ]


def histories(actors: int, each: int) -> Iterator[list[Event]]:
    """Yield the histories of ``actors`` new actors, of ``each`` events."""
    for _ in range(actors):
        yield events(actor_id(), each)
