"""Every exception that django-eventstore raises.

All of them are picklable, and carry what they know as attributes.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured


class EventStoreError(Exception):
    """The base of every error raised by an event store."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception pickles by calling the class with ``args``, which keyword-only
        # attributes do not survive; rebuild from the attributes instead.
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(
    cls: type[EventStoreError], args: tuple[Any, ...], state: dict[str, Any]
) -> EventStoreError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class VersionConflictError(EventStoreError):
    """Another writer was first, or the given version is not above the latest.

    Attributes:
        actor_id: the actor (str).
        attempted_version: the version that the refused event would have had (int).
        expected_version: the version at which the caller expected the actor, or None.
        current_version: the version at which the actor is (int, 0: it has no events).
    """

    def __init__(
        self,
        actor_id: str,
        attempted_version: int,
        expected_version: int | None,
        current_version: int,
    ) -> None:
        self.actor_id = actor_id
        self.attempted_version = attempted_version
        self.expected_version = expected_version
        self.current_version = current_version
        expected = "" if expected_version is None else f", expected at {expected_version}"
        super().__init__(
            f"Version conflict for actor {actor_id!r}: version {attempted_version} cannot be "
            f"saved{expected}, the actor is at version {current_version}. Load the actor again, "
            f"decide again and save at the version you then see (or use EventStore.update())."
        )


class DuplicateEventError(EventStoreError):
    """The id of an event is taken: stored with other content, or twice in one append.

    Attributes:
        event_id: the id that is taken (str).
        actor_id: the actor of the refused event (str).
    """

    def __init__(
        self, event_id: str, actor_id: str, found: str = "is already stored with other content"
    ) -> None:
        self.event_id = event_id
        self.actor_id = actor_id
        super().__init__(
            f"An event with id {event_id!r} {found}; the event for actor {actor_id!r} was not "
            f"saved. Give every event an id of its own."
        )


class InvalidEventError(EventStoreError, ValueError):
    """An event, snapshot or argument cannot be accepted; nothing was written.

    Attributes:
        field: the name of the field or argument (str), with the path inside ``data``.
        reason: what is wrong with it and what to do (str).
    """

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}")


class EventTooLargeError(EventStoreError):
    """An event, append or snapshot is larger than the store takes; nothing was written.

    Attributes:
        size: its size in bytes (int), as encoded.
        limit: the most that the store takes, in bytes (int).
    """

    def __init__(self, size: int, limit: int, what: str = "event") -> None:
        self.size = size
        self.limit = limit
        super().__init__(
            f"The {what} takes {size:,} bytes encoded; this store's limit is {limit:,} bytes. "
            f"Split it, or keep large content elsewhere and store a reference."
        )


class StoreUnavailableError(EventStoreError):
    """The store cannot be reached, or did not answer before the deadline.

    Attributes:
        outcome_unknown: True where a write may have landed all the same (bool).
            Save the same events again, with the same ids: they are stored once.
    """

    def __init__(self, message: str, *, outcome_unknown: bool = False) -> None:
        self.outcome_unknown = outcome_unknown
        if outcome_unknown:
            message = (
                f"{message} The events may or may not have been stored: save the same events "
                f"(same ids) again, they are stored once."
            )
        super().__init__(message)


class UnsupportedOperation(EventStoreError):
    """The store or its server cannot do this; the message says what it lacks."""


class NamespaceCollisionError(EventStoreError, ImproperlyConfigured):
    """Two namespaces come to one name on the server, or a stream belongs to something else."""


class LeaseLost(EventStoreError):
    """A worker was silent for too long, and its shards went to another; it committed nothing."""


class ConsumerReplaced(EventStoreError):
    """A rebuild has put another generation of a projection in place; open it and go on there."""

    def __init__(self, consumer: str) -> None:
        super().__init__(f"{consumer!r} was rebuilt, and goes on in its new generation.")
