"""Schema evolution: old events, read in the form that the code of today expects.

What is stored never changes. An event carries the version of its schema in the metadata key
``schema_version`` (absent: 1), and a project registers, for each event type and version, a
function that makes the next version of it::

    def with_currency(event):
        return replace(event, data={**event.data, "currency": "EUR"})

    register_upcaster("OrderPlaced", 1, with_currency)  # in AppConfig.ready()

From then on new events say ``metadata={"schema_version": "2"}``. The chain runs to its end on
every read; an event whose upcaster fails is malformed: it becomes a ReplayError.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import orjson
from django.core.exceptions import ImproperlyConfigured

from ..exceptions import InvalidEventError
from .event import Event
from .results import ReplayError
from .validation import check_data, check_integer, check_metadata, check_text

SCHEMA_VERSION: Final = "schema_version"
"""The metadata key with the version of an event's schema, a whole number from 1 as text."""

Upcaster = Callable[[Event], Event]

# By event type, then by the version that they take.
_upcasters: dict[str, dict[int, Upcaster]] = {}
# What upcasters may not touch: who the event is, and where it stands.
_IDENTITY: Final = ("id", "actor_id", "version", "position", "timestamp", "command_id")


def register_upcaster(event_type: str, from_version: int, func: Upcaster) -> None:
    """Let ``func`` make the next schema version of events of ``event_type``.

    Args:
        event_type: the type of the events that ``func`` gets.
        from_version: the schema version that it gets, 1 or more; the event that it returns has
            the next one.
        func: ``func(event) -> event``. It may change ``data``, ``metadata`` and ``event_type``
            (the chain goes on with the upcasters of the new type), and nothing else.

    Filters on event types look at what is stored, not at what upcasters make of it.

    Raises:
        ImproperlyConfigured: that version of the type has another upcaster already.
        InvalidEventError: ``event_type`` or ``from_version`` is none.
    """
    check_text("event_type", event_type)
    check_integer("from_version", from_version, minimum=1)
    registered = _upcasters.setdefault(event_type, {}).setdefault(from_version, func)
    if registered is not func:
        raise ImproperlyConfigured(
            f"{event_type!r} events of schema version {from_version} have the upcaster "
            f"{registered!r} already; {func!r} cannot be theirs too."
        )


def unregister_upcaster(event_type: str, from_version: int) -> None:
    """Forget that upcaster; one that is not registered is no error."""
    _upcasters.get(event_type, {}).pop(from_version, None)


def schema_version(event: Event) -> int:
    """Return the version of the event's schema; 1 where it carries none.

    Raises:
        InvalidEventError: it carries something that is no whole number from 1.
    """
    text = event.metadata.get(SCHEMA_VERSION, "1")
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) > 0):
        raise InvalidEventError(
            f"metadata[{SCHEMA_VERSION!r}]", f"must be a whole number from 1, got {text[:60]!r}."
        )
    return int(text)


def are_upcasters_registered() -> bool:
    """Tell whether upcast_item() has anything to do; most projects have no upcaster."""
    return any(_upcasters.values())


def upcast_item(item: Event | ReplayError) -> Event | ReplayError:
    """Return the event in its newest form, or a ReplayError where an upcaster fails."""
    if isinstance(item, ReplayError) or not _upcasters.get(item.event_type):
        return item
    try:
        return _run_chain(item)
    except Exception as error:
        return ReplayError(item.position, orjson.dumps(item.to_dict()), error, item.actor_id)


def _run_chain(event: Event) -> Event:
    version = schema_version(event)
    while (upcaster := _upcasters.get(event.event_type, {}).get(version)) is not None:
        try:
            made = upcaster(event)
            _check_made(made, event)
        except Exception as error:
            error.add_note(f"in the upcaster of {event.event_type!r} from version {version}")
            raise
        version += 1
        event = replace(made, metadata={**made.metadata, SCHEMA_VERSION: str(version)})
    return event


def _check_made(made: object, event: Event) -> None:
    if not isinstance(made, Event):
        raise InvalidEventError("event", f"an upcaster must return an Event, not {made!r:.60}.")
    for name in _IDENTITY:
        if getattr(made, name) != getattr(event, name):
            raise InvalidEventError(name, "an upcaster must not change it.")
    check_text("event_type", made.event_type)
    check_metadata(made.metadata)
    check_data(made.data)
