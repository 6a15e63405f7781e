"""What a projection is, and which ones the project has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from typing import Any, ClassVar, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db import models, router
from django.utils.module_loading import autodiscover_modules

from ..conf import event_stores
from ..events import Event
from ..events.validation import check_text
from ..exceptions import InvalidEventError
from ..models import Consumer
from ..store import EventStore
from ..workers.consumers import ConsumerFigures, consumer_figures, open_consumer


class Projection:
    """Keeps something about the events of a store, in rows of the project's own database.

    Subclass it, and ``register`` the class::

        @register
        class PermitCounts(Projection):
            name = "permit-counts"
            models = (PermitCount,)

            def apply(self, event): ...

    ``apply`` is called for each event, in the order of its actor's versions; the events of
    different actors may come to different workers at the same time. Its rows and the checkpoint
    are committed together, so each event takes effect exactly once, whatever is killed when.
    Whatever it raises undoes what it wrote for that event.

    Attributes:
        name: tells it from other projections; its checkpoint is kept under this name.
        models: the models that it alone writes. They have to be named for a rebuild.
        event_types: only events of these types; None: of all.
        store: the alias of the store that it reads.
        database: the alias of the database that it writes to; unless given, the one that the
            project's routers say for the first of ``models``.
        shards: into how many parts its actors are divided, which several workers can share. With
            1 it sees all events in the order of their positions, in one worker.
        retries: how often an event that cannot be applied is tried again, with growing pauses,
            before it stays parked.
    """

    name: ClassVar[str] = ""
    models: ClassVar[Sequence[type[models.Model]]] = ()
    event_types: ClassVar[Collection[str] | None] = None
    store: ClassVar[str] = "default"
    database: ClassVar[str | None] = None
    shards: ClassVar[int] = 1024
    retries: ClassVar[int] = 5

    def apply(self, event: Event) -> object:
        """Take ``event`` into the projection's rows."""
        raise NotImplementedError

    def wants(self, event: Event) -> bool:
        """Tell whether the event is of one of the projection's types."""
        return self.event_types is None or event.event_type in self.event_types

    @property
    def event_store(self) -> EventStore:
        """The store that it reads."""
        store: EventStore = event_stores[self.store]
        return store

    @property
    def using(self) -> str:
        """The alias of the database that it writes to."""
        if self.database is not None:
            return self.database
        return router.db_for_write(self.models[0]) if self.models else "default"

    def open_consumer(self) -> Consumer:
        """Return its live generation in the database: made on first use.

        Raises:
            ImproperlyConfigured: the one there reads another store, or has other shards.
        """
        return open_consumer(self.name, self.event_store, shards=self.shards, using=self.using)

    def figures(self) -> ConsumerFigures:
        """Return how far it is, how much is left, and what went wrong.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        return consumer_figures(self.open_consumer(), self.event_store)

    def __str__(self) -> str:
        return self.name


ProjectionClass = TypeVar("ProjectionClass", bound=type[Projection])
Apply = Callable[[Event], object]

_projections: dict[str, Projection] = {}


def register(cls: ProjectionClass) -> ProjectionClass:
    """Make a subclass of ``Projection`` known to the commands, under its name.

    Raises:
        ImproperlyConfigured: the class has no usable name, or another class has it.
    """
    where = _path(cls)
    try:
        check_text("name", cls.name)
    except InvalidEventError as error:
        raise ImproperlyConfigured(f"{where}: {error}") from error
    if isinstance(cls.event_types, str):
        raise ImproperlyConfigured(f"{where}: event_types must be a list of event types.")
    if cls.shards < 1 or cls.retries < 0:
        raise ImproperlyConfigured(f"{where}: shards must be 1 or more, retries 0 or more.")
    other = _projections.get(cls.name)
    if other is not None and _path(type(other)) != where:
        raise ImproperlyConfigured(
            f"{where}: there is a projection {cls.name!r} already, {_path(type(other))}."
        )
    _projections[cls.name] = cls()
    return cls


def _path(cls: type[Projection]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def projection(name: str, **attributes: Any) -> Callable[[Apply], Apply]:
    """Register the decorated function, which takes an event, as a projection.

    Args:
        name: the projection's name.
        **attributes: other attributes of ``Projection``.
    """
    known = Projection.__annotations__
    for key in attributes:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise ImproperlyConfigured(f"A projection has no attribute {key!r}{hint}")

    def decorate(function: Apply) -> Apply:
        def apply(self: Projection, event: Event) -> object:
            return function(event)

        described = {
            "name": name,
            "apply": apply,
            "__module__": function.__module__,
            "__qualname__": function.__qualname__,
            "__doc__": function.__doc__,
        }
        register(type(function.__name__, (Projection,), {**attributes, **described}))
        return function

    return decorate


def get_projections() -> list[Projection]:
    """Return the registered projections, by name; each app's ``projections`` module is loaded."""
    autodiscover_modules("projections")
    return [found for _, found in sorted(_projections.items())]


def get_projection(name: str) -> Projection:
    """Return the projection of that name.

    Raises:
        ImproperlyConfigured: there is none; says which there are.
    """
    autodiscover_modules("projections")
    if name in _projections:
        return _projections[name]
    raise ImproperlyConfigured(
        f"There is no projection {name!r}; there are "
        f"{', '.join(sorted(_projections)) or 'none: define them in an app, in projections.py'}."
    )
