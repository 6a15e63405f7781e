"""How a projection's live tables and those built beside them differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connections, models

from .tables import ProjectionTables

_EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True)
class TableDifference:
    """How two generations of a table differ.

    Keys that the database counts up, references to such keys, and columns that hold the time of
    writing are not compared.

    Attributes:
        model: the model's label.
        live_rows: how many rows the live table has.
        new_rows: how many the new one has.
        only_live: how many different rows are in the live table alone.
        only_new: how many are in the new one alone.
        examples: a few of these, ``{"in": "live" or "new", column: value, …}``.
    """

    model: str
    live_rows: int
    new_rows: int
    only_live: int
    only_new: int
    examples: list[dict[str, Any]]

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.only_live or self.only_new) and self.live_rows == self.new_rows


def table_differences(
    tables: ProjectionTables, generation: int, using: str
) -> list[TableDifference]:
    """Return how each live table differs from that of ``generation``."""
    together = {model for model, _, _ in tables.pairs(generation)}
    return [
        _difference(model, live, new, together, using)
        for model, live, new in tables.pairs(generation)
    ]


def _difference(
    model: type[models.Model], live: str, new: str, together: set[type[models.Model]], using: str
) -> TableDifference:
    connection = connections[using]
    fields = [field for field in model._meta.local_fields if _compares(field, together)]
    names = [str(field.column) for field in fields]
    columns = ", ".join(map(connection.ops.quote_name, names)) or "1"
    here, there = (f"SELECT {columns} FROM {table}" for table in (live, new))  # noqa: S608
    sides = {"live": f"{here} EXCEPT {there}", "new": f"{there} EXCEPT {here}"}

    def fetch(sql: str) -> Sequence[Any]:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            rows: Sequence[Any] = cursor.fetchall()
            return rows

    def count(source: str) -> int:
        return int(fetch(f"SELECT COUNT(*) FROM {source}")[0][0])  # noqa: S608 - names of ours

    return TableDifference(
        model=model._meta.label,
        live_rows=count(live),
        new_rows=count(new),
        only_live=count(f"({sides['live']}) AS d"),
        only_new=count(f"({sides['new']}) AS d"),
        examples=[
            {"in": side, **dict(zip(names, row, strict=True))}
            for side, sql in sides.items()
            for row in fetch(f"SELECT * FROM ({sql}) AS d LIMIT {_EXAMPLES}")  # noqa: S608
        ],
    )


def _compares(field: models.Field[Any, Any], together: set[type[models.Model]]) -> bool:
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return False
    while isinstance(field, models.ForeignKey) and field.related_model in together:
        field = field.target_field
    return not isinstance(field, models.AutoField | models.BigAutoField)
