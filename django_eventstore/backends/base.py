"""What a backend provides: the primitives under ``EventStore``.

To write a backend, subclass ``Backend``, fill in its abstract methods, name it as the
``backend_class`` of an ``EventStore`` subclass, and run the contract suite of
``django_eventstore.test`` against that. What comes in has been validated; what goes out is one of
the types in ``values.py`` or an error of ``django_eventstore.exceptions`` (translate the driver's
errors, in one place, with the cause chained). Each primitive gets the namespace as its first
argument: it is settled once a call.

The ``a…`` twins run the synchronous form in a thread; a backend with an asynchronous client
overrides them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import (
    AsyncGenerator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.core.checks import CheckMessage

from ..events import Event, ReplayError, Snapshot
from ..events.validation import MAX_VERSION
from ..exceptions import InvalidEventError, UnsupportedOperation, VersionConflictError
from .options import Options
from .values import (
    ACTOR_ORDERINGS,
    ActorPage,
    ActorQuery,
    ActorRange,
    ActorSummary,
    CachedVersion,
    NewEvent,
    Placed,
    Selection,
    StoreStatistics,
    VersionCache,
)
from .watch import Watch

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class StoreOptions(Options):
    """The options that every store has.

    Attributes:
        max_event_size: the most that one event's data and metadata, or a snapshot's state, may
            take, in bytes as JSON. The default is what a NATS server with default settings can
            hold, so that every store takes and refuses the same events.
        snapshots_kept: how many snapshots are kept of each actor, the newest.
    """

    max_event_size: int = 1_000_000
    snapshots_kept: int = 10


def assign_versions(
    events: Iterable[NewEvent], heads: Mapping[str, int], expected_version: int | None = None
) -> list[int]:
    """Return the version of each event, given the actors' latest versions.

    Args:
        events: in the order of the append.
        heads: actor id -> latest version; an absent actor is at 0.
        expected_version: where the (one) actor must be, or None.

    Raises:
        VersionConflictError: the actor is elsewhere, or a given version is not above the latest.
        InvalidEventError: the actor has used up the highest version.
    """
    at = dict(heads)
    versions = []
    for event, *_ in events:
        actor_id = event.actor_id
        head = at.get(actor_id, 0)
        version = head + 1 if event.version is None else event.version
        if expected_version is not None and heads.get(actor_id, 0) != expected_version:
            raise VersionConflictError(actor_id, version, expected_version, heads.get(actor_id, 0))
        if version > MAX_VERSION:
            raise InvalidEventError(
                "version", f"actor {actor_id!r} is at {head}, the highest version there is."
            )
        if version <= head:
            raise VersionConflictError(actor_id, version, expected_version, head)
        at[actor_id] = version
        versions.append(version)
    return versions


Primitive = Callable[Concatenate["Backend", Arguments], Result]


def in_thread(
    primitive: Primitive[Arguments, Result],
) -> Primitive[Arguments, Coroutine[Any, Any, Result]]:
    """Return the asynchronous twin of a method: it runs that method in a thread."""
    name = primitive.__name__  # looked up at each call: a subclass may have its own

    async def twin(self: Backend, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        result: Result = await sync_to_async(getattr(self, name))(*args, **kwargs)
        return result

    twin.__name__, twin.__doc__ = f"a{name}", f"See {name}()."
    return twin


def iterated_in_thread(
    primitive: Primitive[Arguments, Iterator[Item]], *, size: int = 500
) -> Primitive[Arguments, AsyncGenerator[Item, None]]:
    """Return the asynchronous twin of a generator, advanced ``size`` items at a time."""
    name = primitive.__name__

    async def twin(
        self: Backend, /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> AsyncGenerator[Item, None]:
        iterator = await sync_to_async(getattr(self, name))(*args, **kwargs)
        try:
            while chunk := await sync_to_async(_take)(iterator, size):
                for item in chunk:
                    yield item
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                await sync_to_async(close)()

    twin.__name__, twin.__doc__ = f"a{name}", f"See {name}()."
    return twin


def _take(iterator: Iterator[Item], size: int) -> list[Item]:
    return list(islice(iterator, size))


class Backend(ABC):
    """The primitives.

    Args:
        alias: the store's name in ``EVENT_STORES``, or None.
        options: the store's options, of ``options_class``.
    """

    options_class: ClassVar[type[StoreOptions]] = StoreOptions

    # Can one append hold events of several actors, all or none?
    supports_multi_actor_append: bool = True
    # What would it take for that? For the error that says no.
    multi_actor_append_needs: str = ""
    # Is the id of an event unique in its namespace, or (False) only in its actor's history?
    supports_unique_ids: bool = True
    # Does append() look for stored ids before it finds a conflict? Then a VersionConflictError
    # means that none is there, and the facade need not look again.
    looks_for_ids_first: bool = False
    # Does an append join the caller's database transaction?
    supports_transactions: bool = False
    # Can events be found by id, correlation, type and time without reading through the store?
    supports_lookup: bool = True
    # Can old events be removed (retention)?
    supports_pruning: bool = False
    # Do other processes see the same events?
    supports_processes: bool = True
    # Which of ACTOR_ORDERINGS can get_actors() sort by?
    actor_orderings: frozenset[str] = frozenset(ACTOR_ORDERINGS)

    def __init__(self, alias: str | None, options: StoreOptions) -> None:
        self.alias = alias
        self.options = options
        self.on_retry: Callable[[str, str, Exception], None] = lambda *told: None
        """Called with (namespace, actor id, error) before an append is tried again."""

    # -- where

    @property
    def database(self) -> str | None:
        """The alias in ``DATABASES`` of where the events are; None: they are elsewhere."""
        return None

    def place(self, namespace: str) -> str:
        """Return what tells this place of events from others of its kind; see EventStore.place."""
        return ""

    # -- writing

    @abstractmethod
    def append(
        self, namespace: str, events: Sequence[NewEvent], expected_version: int | None
    ) -> list[Placed]:
        """Store ``events`` (one or more), all or none, and return the place of each, in order.

        ``expected_version`` comes with one actor only. Versions that are not given are the
        actor's next; see ``assign_versions()``.

        Raises:
            VersionConflictError: see ``assign_versions()``.
            DuplicateEventError: an event with one of the ids is stored in the namespace. The
                facade then finds out whether it is the same event, saved again.
            EventTooLargeError: the append is larger than the server takes.
            StoreUnavailableError: no answer; ``outcome_unknown`` where it may have landed.
        """

    @abstractmethod
    def save_snapshot(self, namespace: str, snapshot: Snapshot, state: bytes) -> int | None:
        """Store ``snapshot`` (``state`` is its JSON text), over one at the same version.

        Its timestamp is in UTC.

        Keeps the newest ``options.snapshots_kept`` of the actor. Returns its position, if any.
        """

    @abstractmethod
    def delete_snapshots(
        self, namespace: str, actor_id: str, from_version: int, to_version: int
    ) -> int:
        """Delete the actor's snapshots of these versions, inclusive; return how many went."""

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once what was just appended is durable."""
        callback()

    def prune(self, namespace: str, actor_id: str, to_version: int) -> int:
        """Remove the actor's events up to ``to_version``, inclusive; return how many went.

        Always leaves the newest event, so that the latest version stays what it is, and may
        leave more that it cannot remove safely. Snapshots stay.
        """
        raise UnsupportedOperation(
            f"{type(self).__name__} cannot remove events; see its documentation for retention."
        )

    def receipt(self, namespace: str) -> str:
        """Return a text by which ``is_outlived()`` knows what the namespace holds now.

        Empty where the store drops nothing by itself.
        """
        return ""

    def is_outlived(self, namespace: str, receipt: str) -> bool:
        """Tell whether all that was there at ``receipt`` is gone because of its age.

        False unless that is certain: it may also have been emptied, or be another store now.
        """
        return False

    # -- reading

    @abstractmethod
    def latest_version(self, namespace: str, actor_id: str) -> int:
        """Return the version of the actor's newest event, 0 for none; never a cached value."""

    @abstractmethod
    def read_actor(
        self, namespace: str, actor_id: str, selected: ActorRange
    ) -> Iterator[Event | ReplayError]:
        """Yield the actor's events, and a ReplayError in the place of each malformed one."""

    @abstractmethod
    def read_store(self, namespace: str, selected: Selection) -> Iterator[Event | ReplayError]:
        """Yield the store's events in position order, in bounded memory.

        Never skips an event that commits late: a position is passed only when nothing can
        appear at or below it any more. A malformed event is yielded as a ReplayError wherever
        the filters do not certainly leave it out.
        """

    @abstractmethod
    def event_at(self, namespace: str, position: int) -> Event | ReplayError | None:
        """Return what is stored at ``position``, or None."""

    @abstractmethod
    def find_events(
        self, namespace: str, event_ids: Sequence[str], actor_ids: Sequence[str] | None
    ) -> dict[str, Event]:
        """Return the stored events with these ids, by id; absent ids are left out.

        ``actor_ids``, where given, names the only actors that need to be looked at.
        """

    @abstractmethod
    def count_events(self, namespace: str, selected: Selection) -> int:
        """Return how many events (malformed ones too) are selected."""

    @abstractmethod
    def list_actors(self, namespace: str, query: ActorQuery) -> ActorPage:
        """Return a page of the actors whose id contains ``query.search`` (as written).

        ``query.name`` is one of ``actor_orderings``; ties are in order of the actor id, code
        point by code point, in the same direction. About ``query.time_limit`` seconds may be
        spent: a store that is always quick need not look at it.

        Raises:
            InvalidEventError: ``query.cursor`` is not one of this listing's.
        """

    def actor_summaries(self, namespace: str, actor_ids: Sequence[str]) -> dict[str, ActorSummary]:
        """Return the summary of each actor; those without events are left out."""
        summaries = {}
        for actor_id in actor_ids:
            first, last = (
                next((item for item in items if isinstance(item, Event)), None)
                for items in (
                    self.read_actor(namespace, actor_id, ActorRange(limit=1)),
                    self.read_actor(namespace, actor_id, ActorRange(limit=1, reverse=True)),
                )
            )
            if first is not None and last is not None:
                summaries[actor_id] = ActorSummary(
                    actor_id,
                    self.latest_version(namespace, actor_id),
                    None,
                    first.timestamp,
                    last.timestamp,
                    last.position,
                )
        return summaries

    @abstractmethod
    def read_snapshots(
        self, namespace: str, actor_id: str, max_version: int | None
    ) -> Iterator[Snapshot | ReplayError]:
        """Yield the actor's snapshots at or below ``max_version``, newest version first."""

    def snapshot_versions(self, namespace: str, actor_ids: Sequence[str]) -> dict[str, int]:
        """Return the version of each actor's newest snapshot; actors without one are left out."""
        versions = {}
        for actor_id in actor_ids:
            for item in self.read_snapshots(namespace, actor_id, None):
                if isinstance(item, Snapshot):
                    versions[actor_id] = item.version
                    break
        return versions

    def statistics(self, namespace: str) -> StoreStatistics:
        """Return how much the namespace holds, in a time that does not grow with it."""
        return StoreStatistics(self.count_events(namespace, Selection()))

    def watch(self, namespace: str) -> Watch:
        """Return what tells a subscription that reading the namespace again is worth while.

        Short polling unless overridden; see ``Watch``.
        """
        return Watch()

    def version_cache(self, namespace: str) -> VersionCache | None:
        """Return what is remembered of actors' versions; None: nothing is."""
        return None

    def check_cached_versions(
        self, namespace: str, actor_id: str | None = None
    ) -> Iterator[CachedVersion]:
        """Yield each entry of the version cache beside the truth; the cache is left as it is.

        ``actor_id``: only this actor's entry.
        """
        yield from ()

    # -- life cycle

    def close(self) -> None:  # noqa: B027 - most backends have nothing to close
        """Release what this object holds; it opens again when it is used again."""

    def setup(self, namespace: str, *, update: bool = False, check: bool = False) -> list[str]:
        """Make what the store needs on its server; return what is not as the options say.

        Nothing to do, unless overridden. What is there already is changed only with ``update``;
        with ``check`` nothing is made either.
        """
        return []

    def check(self) -> list[CheckMessage]:
        """Return what a system check has to say of the settings; never opens a connection."""
        return []

    def check_deployment(self) -> list[CheckMessage]:
        """Return what ``check --deploy`` has to say of settings by which events may be lost."""
        return []

    def describe(self, namespace: str) -> dict[str, Any]:
        """Return where the data is kept, for people: names to values, no secrets."""
        return {}

    # -- asynchronous twins

    aappend = in_thread(append)
    asave_snapshot = in_thread(save_snapshot)
    adelete_snapshots = in_thread(delete_snapshots)
    alatest_version = in_thread(latest_version)
    aevent_at = in_thread(event_at)
    afind_events = in_thread(find_events)
    acount_events = in_thread(count_events)
    alist_actors = in_thread(list_actors)
    aactor_summaries = in_thread(actor_summaries)
    asnapshot_versions = in_thread(snapshot_versions)
    astatistics = in_thread(statistics)
    asetup = in_thread(setup)
    aclose = in_thread(close)
    aread_actor = iterated_in_thread(read_actor)
    aread_store = iterated_in_thread(read_store)
    aread_snapshots = iterated_in_thread(read_snapshots, size=1)
