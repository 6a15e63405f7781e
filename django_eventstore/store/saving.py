"""Saving events: all or none, and once, however often they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from asgiref.sync import sync_to_async

from ..backends.values import NewEvent, Placed
from ..events import Event
from ..events.event import made_event, same_event
from ..events.metadata import acurrent_event_metadata, current_event_metadata
from ..exceptions import DuplicateEventError, UnsupportedOperation, VersionConflictError
from ..signals import event_saved
from .arguments import Expect, as_list, check_exists, check_expected, new_events
from .base import StoreBase
from .observability import observe, send


class Saving(StoreBase):
    """save_event() and save_events()."""

    def save_event(self, event: Event, *, expected_version: int | Expect | None = None) -> Event:
        """Store ``event`` and return it as stored, with version and position.

        An event without a version gets the actor's next one; a given version must be above the
        latest. With ``expected_version`` the actor must be exactly there (0: must not exist).
        Saving an event again (same id, same content) returns the stored one.

        Raises:
            InvalidEventError: a field is wrong; nothing was written.
            VersionConflictError: another writer was first.
            DuplicateEventError: the id is taken by an event with other content.
            EventTooLargeError: it is larger than the store takes.
            StoreUnavailableError: no answer from the store; ``outcome_unknown`` says whether it
                may be stored all the same.
        """
        return self.save_events((event,), expected_version=expected_version)[0]

    async def asave_event(
        self, event: Event, *, expected_version: int | Expect | None = None
    ) -> Event:
        """See save_event()."""
        return (await self.asave_events((event,), expected_version=expected_version))[0]

    def save_events(
        self, events: Iterable[Event], *, expected_version: int | Expect | None = None
    ) -> list[Event]:
        """Store ``events``, all or none, in order; return them as stored.

        They may belong to several actors where the backend can do that
        (``supports_multi_actor_append``); ``expected_version`` goes with one actor only. No
        events: nothing happens.

        Raises:
            UnsupportedOperation: events of several actors, and the server cannot append those
                all or none.
            InvalidEventError, VersionConflictError, DuplicateEventError, EventTooLargeError,
            StoreUnavailableError: see save_event().
        """
        namespace = self.namespace
        with observe(self, "save", namespace) as operation:
            given = as_list(events)
            new = self._prepare(given, expected_version, current_event_metadata())
            if not new:
                return []
            for event, *_ in new:
                operation.add(event)
            if isinstance(expected_version, Expect):
                latest = self.backend.latest_version(namespace, given[0].actor_id)
                check_exists(given[0], latest)
                expected_version = None
            try:
                placed = self.backend.append(namespace, new, expected_version)
            except (VersionConflictError, DuplicateEventError) as error:
                if self.backend.looks_for_ids_first and isinstance(error, VersionConflictError):
                    raise
                stored = self.backend.find_events(namespace, *_ids(given))
                operation.outcome = "repeated"
                return _settle(given, stored, error)
        saved = _saved(new, placed)
        if event_saved.receivers and event_saved.has_listeners(type(self)):
            self.backend.on_commit(lambda: self._announce(namespace, saved))
        return saved

    async def asave_events(
        self, events: Iterable[Event], *, expected_version: int | Expect | None = None
    ) -> list[Event]:
        """See save_events()."""
        namespace = self.namespace
        with observe(self, "save", namespace) as operation:
            given = as_list(events)
            new = self._prepare(given, expected_version, await acurrent_event_metadata())
            if not new:
                return []
            for event, *_ in new:
                operation.add(event)
            if isinstance(expected_version, Expect):
                latest = await self.backend.alatest_version(namespace, given[0].actor_id)
                check_exists(given[0], latest)
                expected_version = None
            try:
                placed = await self.backend.aappend(namespace, new, expected_version)
            except (VersionConflictError, DuplicateEventError) as error:
                if self.backend.looks_for_ids_first and isinstance(error, VersionConflictError):
                    raise
                stored = await self.backend.afind_events(namespace, *_ids(given))
                operation.outcome = "repeated"
                return _settle(given, stored, error)
        saved = _saved(new, placed)
        if event_saved.receivers and event_saved.has_listeners(type(self)):
            # In a thread: receivers are synchronous, and may use the database.
            await sync_to_async(self.backend.on_commit)(lambda: self._announce(namespace, saved))
        return saved

    def _prepare(
        self,
        given: Sequence[Event],
        expected_version: int | Expect | None,
        ambient: Mapping[str, str],
    ) -> list[NewEvent]:
        """Check everything, merge the ambient metadata; return the events as new ones."""
        new = new_events(given, ambient, self.options.max_event_size)
        check_expected(expected_version, new)
        if (
            not self.backend.supports_multi_actor_append
            and len({event.actor_id for event in given}) > 1
        ):
            needs = self.backend.multi_actor_append_needs
            raise UnsupportedOperation(
                f"{self!r} cannot save events of several actors all or none"
                f"{f': that needs {needs}' if needs else ''}; save them actor by actor."
            )
        return new

    def _announce(self, namespace: str, events: Sequence[Event]) -> None:
        for event in events:
            send(event_saved, self, namespace, event=event)


def _ids(events: Sequence[Event]) -> tuple[list[str], list[str]]:
    """Return the ids of the events, and of their actors."""
    actors = dict.fromkeys(event.actor_id for event in events)
    return [event.id for event in events], list(actors)


def _settle(
    given: Sequence[Event],
    stored: dict[str, Event],
    refusal: VersionConflictError | DuplicateEventError,
) -> list[Event]:
    """Return the stored events if the refused append is one that was saved before."""
    for event in given:
        if event.id in stored and not same_event(event, stored[event.id]):
            raise DuplicateEventError(event.id, event.actor_id) from refusal
    if len(stored) == len(given):
        return [stored[event.id] for event in given]
    for event in given:
        if event.id in stored:
            raise DuplicateEventError(
                event.id, event.actor_id, "is already stored, and others of this append are not"
            ) from refusal
    raise refusal


def _saved(new: Sequence[NewEvent], placed: Sequence[Placed]) -> list[Event]:
    return [
        made_event(
            event.actor_id,
            event.event_type,
            event.data,
            place.version,
            event.id,
            event.command_id,
            event.metadata,
            event.timestamp,
            place.position,
        )
        for (event, *_), place in zip(new, placed, strict=True)
    ]
