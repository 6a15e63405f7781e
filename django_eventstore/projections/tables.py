"""The tables of a projection, in several generations: one is live, another is built beside it.

The live generation has the models' own table names, and generation n otherwise the name with
``__gn`` behind it. Which generation the models mean can be changed for this process; which one
is live, for everybody, by renaming.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import truncate_name

from .registry import Projection

Named = TypeVar("Named", models.Index, models.BaseConstraint)

_LOCK_SECONDS: Final = 5


class ProjectionTables:
    """The tables of a projection's models, in its database.

    Raises:
        ImproperlyConfigured: the projection names no models, or a model that is not one of its
            own refers to one of them: the reference would stay with the old table.
    """

    def __init__(self, projection: Projection) -> None:
        if not projection.models:
            raise ImproperlyConfigured(
                f"The projection {projection.name!r} names no models, and so cannot be rebuilt "
                f"beside itself. Name what it writes to as its ``models``."
            )
        self._using = projection.using
        self._models: list[type[models.Model]] = list(projection.models)
        for model in projection.models:
            for relation in model._meta.local_many_to_many:
                through = relation.remote_field.through
                if through is not None and through._meta.auto_created:
                    self._models.append(through)
        self._names = {model: model._meta.db_table for model in self._models}
        self._check_references(projection)

    @property
    def _connection(self) -> BaseDatabaseWrapper:
        return connections[self._using]

    def exist(self, generation: int) -> bool:
        """Tell whether the generation has tables of its own: then it is not live."""
        names = self._connection.introspection.table_names()
        return self._name(self._models[0], generation) in names

    def create(self, generation: int) -> None:
        """Create the tables of a generation, empty; what a broken-off attempt left goes."""
        self.drop(generation)
        with (
            self.redirected(generation),
            self._renamed_indexes(generation),
            self._connection.schema_editor() as editor,
        ):
            for model in self._models:
                editor.create_model(model)

    def drop(self, generation: int) -> None:
        """Drop the tables of a generation that is not live, those that are there."""
        there = self._connection.introspection.table_names()
        with self.redirected(generation), self._connection.schema_editor() as editor:
            for model in reversed(self._models):
                if model._meta.db_table in there:
                    editor.delete_model(model)

    @contextmanager
    def redirected(self, generation: int) -> Iterator[None]:
        """Let the models of this process mean the tables of a generation. For all threads."""
        try:
            for model in self._models:
                _point(model, self._name(model, generation))
            yield
        finally:
            for model in self._models:
                _point(model, self._names[model])

    def swap(self, live: int, other: int) -> None:
        """Make ``other`` the live generation, at one moment for everybody.

        Call it in a transaction. MariaDB and MySQL commit that first, and rename at once.
        """
        moves = [
            move
            for model in self._models
            for move in (
                (self._names[model], self._name(model, live)),
                (self._name(model, other), self._names[model]),
            )
        ]
        vendor, quote = self._connection.vendor, self._connection.ops.quote_name
        with self._connection.cursor() as cursor:
            if vendor == "mysql":
                # Readers come first: wait for them a moment, and do not hold up others for long.
                cursor.execute(f"SET SESSION lock_wait_timeout = {_LOCK_SECONDS}")
                renames = ", ".join(f"{quote(old)} TO {quote(new)}" for old, new in moves)
                cursor.execute(f"RENAME TABLE {renames}")
                return
            if vendor == "postgresql":
                cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
            for old, new in moves:
                cursor.execute(f"ALTER TABLE {quote(old)} RENAME TO {quote(new)}")
            for name in self._index_names():
                self._rename_index(cursor, name, _with_generation(name, live))
                self._rename_index(cursor, _with_generation(name, other), name)

    def pairs(self, generation: int) -> Iterator[tuple[type[models.Model], str, str]]:
        """Yield each model with the quoted names of its live table and the other generation's."""
        quote = self._connection.ops.quote_name
        for model in self._models:
            yield model, quote(self._names[model]), quote(self._name(model, generation))

    # -- inside

    def _name(self, model: type[models.Model], generation: int) -> str:
        suffix = f"__g{generation}"
        longest = self._connection.ops.max_name_length()
        name = self._names[model]
        return truncate_name(name, longest and longest - len(suffix)) + suffix

    def _check_references(self, projection: Projection) -> None:
        for model in apps.get_models(include_auto_created=True):
            if model in self._models or model._meta.proxy or not model._meta.managed:
                continue
            for relation in model._meta.local_fields:
                if relation.is_relation and relation.related_model in self._models:
                    raise ImproperlyConfigured(
                        f"{model._meta.label}.{relation.name} refers to "
                        f"{relation.related_model._meta.label}, which {projection.name!r} "
                        f"rebuilds in a new table: the reference would stay with the old one. "
                        f"Keep the key as a plain value instead."
                    )

    def _index_names(self) -> list[str]:
        """Return the names that projects give to indexes, which no two tables may share."""
        named: list[Any] = []
        for model in self._models:
            named += model._meta.indexes
            named += filter(self._is_index, model._meta.constraints)
        return [each.name for each in named]

    @contextmanager
    def _renamed_indexes(self, generation: int) -> Iterator[None]:
        if self._connection.vendor == "mysql":  # each table has names of its own
            yield
            return
        before = [(m._meta, m._meta.indexes, m._meta.constraints) for m in self._models]
        try:
            for meta, indexes, constraints in before:
                meta.indexes = [_renamed(index, generation) for index in indexes]
                meta.constraints = [
                    _renamed(each, generation) if self._is_index(each) else each
                    for each in constraints
                ]
            yield
        finally:
            for meta, indexes, constraints in before:
                meta.indexes, meta.constraints = indexes, constraints

    def _is_index(self, constraint: models.BaseConstraint) -> bool:
        """Tell whether a constraint is an index in the database, with a name among all others."""
        if isinstance(constraint, models.CheckConstraint):
            return False
        if self._connection.vendor != "sqlite" or not isinstance(
            constraint, models.UniqueConstraint
        ):
            return True
        return bool(constraint.condition or constraint.expressions)

    def _rename_index(self, cursor: Any, old: str, new: str) -> None:
        quote = self._connection.ops.quote_name
        if self._connection.vendor == "postgresql":
            cursor.execute(f"ALTER INDEX IF EXISTS {quote(old)} RENAME TO {quote(new)}")
            return
        # SQLite cannot rename an index, but tells how it was made.
        cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND name = %s", [old])
        if row := cursor.fetchone():
            cursor.execute(f"DROP INDEX {quote(old)}")
            cursor.execute(row[0].replace(quote(old), quote(new), 1))


def _point(model: type[models.Model], table: str) -> None:
    """Let a model, and its proxies, mean another table."""
    for each in apps.get_models(include_auto_created=True):
        if each._meta.concrete_model is model:
            each._meta.db_table = table
            for column in each._meta.local_fields:
                # Django keeps the column with the name of its table.
                column.__dict__.pop("cached_col", None)


def _with_generation(name: str, generation: int) -> str:
    return f"{name}__g{generation}"


def _renamed(named: Named, generation: int) -> Named:
    _, arguments, options = named.deconstruct()
    options["name"] = _with_generation(named.name, generation)
    return type(named)(*arguments, **options)
