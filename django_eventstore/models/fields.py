"""Model fields that keep on every database what the store promises."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import models
from django.db.models.fields import json as json_lookups
from django.utils import timezone


class CodePointField(models.CharField):  # type: ignore[type-arg]
    """Text that is compared and sorted code point by code point.

    The usual collations take "a" for "A" (MariaDB), ignore trailing spaces, or sort by language.
    """

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        collation = None
        if connection.vendor == "postgresql":
            collation = "C"
        elif connection.vendor == "mysql":
            # The binary collations that do not pad with spaces.
            collation = "utf8mb4_nopad_bin" if connection.mysql_is_mariadb else "utf8mb4_0900_bin"
        return {**super().db_parameters(connection), "collation": collation}


class UTCDateTimeField(models.DateTimeField):  # type: ignore[type-arg]
    """A moment, kept in UTC to the microsecond whatever USE_TZ, TIME_ZONE and the connection say.

    Read, it is always an aware datetime in UTC.
    """

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if isinstance(value, datetime):
            value = as_utc(value)
            if connection.vendor != "postgresql":
                return value.replace(tzinfo=None).isoformat(" ", "microseconds")
        return value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> datetime | None:
        if value is None:
            return None
        if connection.vendor == "postgresql":
            return as_utc(value)
        # Stored in UTC; Django took it for the connection's time zone.
        return value.replace(tzinfo=UTC)  # type: ignore[no-any-return]


def as_utc(value: datetime) -> datetime:
    """Return ``value`` in UTC; a naive one is taken for one in TIME_ZONE, as Django does."""
    if timezone.is_naive(value):
        value = timezone.make_aware(value, timezone.get_default_timezone())
    return value.astimezone(UTC)


class JSONTextField(models.JSONField):
    """JSON, kept as the very text that was written.

    PostgreSQL's ``jsonb`` changes numbers and the order of keys, MariaDB's ``JSON`` refuses deep
    nesting. Django's lookups (``data__customer__name="x"``, ``data__contains``) work where the
    database has them.
    """

    def db_type(self, connection: Any) -> str:
        if connection.vendor == "mysql":
            return "longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        return "text"

    def db_check(self, connection: Any) -> None:
        return None

    def get_transform(self, lookup_name: str) -> Any:
        key_transform = super().get_transform(lookup_name)
        return lambda lhs, *args, **kwargs: key_transform(_Parsed(lhs), *args, **kwargs)


class _Parsed(models.Func):
    """The text as the database's own JSON type, where its JSON operators need that."""

    template = "%(expressions)s"
    output_field = models.JSONField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="(%(expressions)s)::jsonb", **context)


def _on_parsed(lookup: type[models.Lookup[Any]]) -> type[models.Lookup[Any]]:
    def process_lhs(self: Any, compiler: Any, connection: Any, lhs: Any = None) -> Any:
        sql, params = lookup.process_lhs(self, compiler, connection, lhs)
        if connection.vendor == "postgresql":
            sql = f"({sql})::jsonb"
        return sql, params

    return type(lookup.__name__, (lookup,), {"process_lhs": process_lhs})


for _lookup in (
    json_lookups.JSONExact,
    json_lookups.DataContains,
    json_lookups.ContainedBy,
    json_lookups.HasKey,
    json_lookups.HasKeys,
    json_lookups.HasAnyKeys,
):
    JSONTextField.register_lookup(_on_parsed(_lookup))
