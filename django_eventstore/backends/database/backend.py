"""The primitives on a Django database: SQLite, PostgreSQL, MariaDB or MySQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, IntegrityError, InterfaceError, connections, transaction

from ...events import Event, ReplayError, Snapshot
from ...exceptions import DuplicateEventError, StoreUnavailableError, VersionConflictError
from ...outages import is_lost, should_try_again
from ..base import Backend, StoreOptions, assign_versions
from ..values import (
    ACTOR_ORDERINGS,
    ActorPage,
    ActorQuery,
    ActorRange,
    ActorSummary,
    NewEvent,
    Placed,
    Selection,
    StoreStatistics,
)
from ..watch import Watch
from . import actors, checks, pruning, snapshots
from .errors import raise_translated, violated_constraint
from .notifications import PostgresWatch, announce_append, can_listen
from .queries import EventQuery
from .rows import Row, decode_events
from .tables import EVENT_ID_CONSTRAINT, EVENTS, VERSION_CONSTRAINT, key_lists
from .vendor import Vendor, pause
from .vendors import vendor_of

# Not MAX(), which PostgreSQL takes longer to plan.
_LATEST_VERSION: Final = (
    f"SELECT version FROM {EVENTS} WHERE namespace = %s AND actor_id = %s "
    f"ORDER BY version DESC LIMIT 1"
)
# How often an append is tried again after a deadlock, or after a rival was faster.
_ATTEMPTS: Final = 10


@dataclass(frozen=True, kw_only=True)
class DatabaseOptions(StoreOptions):
    """The options of DatabaseEventStore.

    Attributes:
        database: the alias in ``DATABASES``.
    """

    database: str = "default"


class DatabaseBackend(Backend):
    """The primitives as SQL, on Django's connection of the current thread."""

    options_class: ClassVar[type[StoreOptions]] = DatabaseOptions
    options: DatabaseOptions
    supports_transactions = True
    supports_pruning = True
    # The actors' rows do not hold that.
    actor_orderings = frozenset(ACTOR_ORDERINGS) - {"last_position"}

    def __init__(self, alias: str | None, options: StoreOptions) -> None:
        super().__init__(alias, options)
        if self.database not in connections.settings:
            raise ImproperlyConfigured(
                f"The event store {alias!r} is to use the database {self.database!r}; DATABASES "
                f"has {', '.join(map(repr, connections.settings))}."
            )

    @property
    def database(self) -> str:
        """The alias in ``DATABASES``."""
        return self.options.database

    def place(self, namespace: str) -> str:
        return self.database

    @property
    def vendor(self) -> Vendor:
        """How the database stores and reads, on the current thread's connection."""
        return vendor_of(connections[self.database])

    # -- writing

    def append(
        self, namespace: str, events: Sequence[NewEvent], expected_version: int | None
    ) -> list[Placed]:
        vendor = self.vendor
        connection = vendor.connection
        if connection.connection is None:
            # Here nothing can have landed.
            with self._translated_errors():
                connection.ensure_connection()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                placed = vendor.append(namespace, events, expected_version)
            except VersionConflictError:
                self._raise_conflict_or_catch_up(vendor, namespace, events, expected_version)
            except IntegrityError as error:
                self._explain_violation(vendor, namespace, events, error, attempt)
            except (DatabaseError, InterfaceError) as error:
                joined = connection.in_atomic_block
                if joined or attempt == _ATTEMPTS or not should_try_again(error):
                    raise_translated(
                        connection, error, outcome_unknown=is_lost(error) and not joined
                    )
                self.on_retry(namespace, events[0].event.actor_id, error)
                pause(attempt)
            else:
                if placed is not None:
                    if connection.vendor == "postgresql":
                        announce_append(connection, namespace)
                    return placed
                self._raise_conflict_or_catch_up(vendor, namespace, events, expected_version)
        raise StoreUnavailableError(
            f"Other writers moved the actors of this append {_ATTEMPTS} times while it was tried."
        )

    def _raise_conflict_or_catch_up(
        self,
        vendor: Vendor,
        namespace: str,
        events: Sequence[NewEvent],
        expected_version: int | None,
    ) -> None:
        """Raise the reason why an actor was not where it needed to be, if that is still so."""
        heads = {
            actor_id: self.latest_version(namespace, actor_id)
            for actor_id in {event.actor_id for event, *_ in events}
        }
        assign_versions(events, heads, expected_version)
        # The append could go through: the actor moved meanwhile, or its row is behind.
        self._catch_up(vendor, namespace, events)

    def _explain_violation(
        self,
        vendor: Vendor,
        namespace: str,
        events: Sequence[NewEvent],
        error: IntegrityError,
        attempt: int,
    ) -> None:
        constraint = violated_constraint(error)
        if constraint == EVENT_ID_CONSTRAINT:
            actors = {event.id: event.actor_id for event, *_ in events}
            stored = self.find_events(namespace, list(actors), None)
            event_id = next(iter(stored), events[0].event.id)
            raise DuplicateEventError(event_id, actors[event_id]) from error
        if constraint != VERSION_CONSTRAINT or attempt == _ATTEMPTS:
            raise error
        self._catch_up(vendor, namespace, events)

    def _catch_up(self, vendor: Vendor, namespace: str, events: Sequence[NewEvent]) -> None:
        """Put the actors' rows right, which are behind if events were inserted past the store."""
        with (
            self._translated_errors(),
            transaction.atomic(self.database),
            vendor.connection.cursor() as cursor,
        ):
            for actor_id in sorted({event.actor_id for event, *_ in events}):
                actors.recount(vendor, cursor, namespace, actor_id)

    def prune(self, namespace: str, actor_id: str, to_version: int) -> int:
        with self._translated_errors():
            return pruning.prune(self.vendor, namespace, actor_id, to_version)

    def save_snapshot(self, namespace: str, snapshot: Snapshot, state: bytes) -> int | None:
        with self._translated_errors():
            snapshots.save(self.vendor, namespace, snapshot, state, self.options.snapshots_kept)
        return None

    def delete_snapshots(
        self, namespace: str, actor_id: str, from_version: int, to_version: int
    ) -> int:
        with self._translated_errors():
            return snapshots.delete(self.vendor, namespace, actor_id, from_version, to_version)

    def on_commit(self, callback: Callable[[], None]) -> None:
        transaction.on_commit(callback, using=self.database)

    # -- reading

    def latest_version(self, namespace: str, actor_id: str) -> int:
        rows = self._fetch(_LATEST_VERSION, (namespace, actor_id))
        return int(rows[0][0]) if rows else 0

    def read_actor(
        self, namespace: str, actor_id: str, selected: ActorRange
    ) -> Iterator[Event | ReplayError]:
        query = EventQuery.of_actor(self.vendor, self._fetch, namespace, actor_id, selected)
        return query.read()

    def read_store(self, namespace: str, selected: Selection) -> Iterator[Event | ReplayError]:
        query = self._query_of_store(namespace, selected)
        bounds = (None,) if selected.reverse else self._final_positions(selected.after or 0)
        for bound in bounds:
            yield from query.read(bound)
            if query.left == 0:
                return

    def watch(self, namespace: str) -> Watch:
        if can_listen(connections[self.database]):
            return PostgresWatch(self.database, namespace)
        return super().watch(namespace)

    def event_at(self, namespace: str, position: int) -> Event | ReplayError | None:
        vendor = self.vendor
        rows = self._fetch(
            f"SELECT {vendor.columns} FROM {EVENTS} e WHERE namespace = %s AND position = %s",
            (namespace, position),
        )
        return decode_events(rows, vendor.aware)[0] if rows else None

    def find_events(
        self, namespace: str, event_ids: Sequence[str], actor_ids: Sequence[str] | None
    ) -> dict[str, Event]:
        vendor = self.vendor
        found: dict[str, Event] = {}
        for some, marks in key_lists(event_ids):
            rows = self._fetch(
                f"SELECT {vendor.columns} FROM {EVENTS} e "
                f"WHERE namespace = %s AND event_id IN ({marks})",
                (namespace, *some),
            )
            for item in decode_events(rows, vendor.aware):
                if isinstance(item, Event) and (actor_ids is None or item.actor_id in actor_ids):
                    found[item.id] = item
        return found

    def count_events(self, namespace: str, selected: Selection) -> int:
        return self._query_of_store(namespace, selected).count()

    def list_actors(self, namespace: str, query: ActorQuery) -> ActorPage:
        return actors.page(self.vendor, self._fetch, namespace, query)

    def read_snapshots(
        self, namespace: str, actor_id: str, max_version: int | None
    ) -> Iterator[Snapshot | ReplayError]:
        return snapshots.read(self.vendor, self._fetch, namespace, actor_id, max_version)

    def actor_summaries(self, namespace: str, actor_ids: Sequence[str]) -> dict[str, ActorSummary]:
        return actors.summaries(self.vendor, self._fetch, namespace, actor_ids)

    def snapshot_versions(self, namespace: str, actor_ids: Sequence[str]) -> dict[str, int]:
        return snapshots.versions(self._fetch, namespace, actor_ids)

    def statistics(self, namespace: str) -> StoreStatistics:
        return actors.statistics(self._fetch, namespace)

    # -- life cycle

    def check_deployment(self) -> list[CheckMessage]:
        return checks.check_durability(self.database)

    def check(self) -> list[CheckMessage]:
        return checks.check_database(self.database)

    def describe(self, namespace: str) -> dict[str, Any]:
        settings = connections[self.database].settings_dict
        return {
            "database": self.database,
            "engine": settings["ENGINE"],
            "name": str(settings["NAME"]),
            "host": settings.get("HOST", ""),
        }

    # -- inside

    def _fetch(self, sql: str, params: Sequence[Any]) -> list[Row]:
        vendor = self.vendor
        try:
            return vendor.fetch(sql, params)
        except (DatabaseError, InterfaceError) as error:
            raise_translated(vendor.connection, error)

    def _query_of_store(self, namespace: str, selected: Selection) -> EventQuery:
        return EventQuery.of_store(self.vendor, self._fetch, namespace, selected)

    def _final_positions(self, after: int) -> Iterator[int | None]:
        with self._translated_errors():
            yield from self.vendor.final_positions(after)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except (DatabaseError, InterfaceError) as error:
            raise_translated(connections[self.database], error)
