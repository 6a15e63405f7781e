"""Measure, and print the table."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator

from benchmarks import databases
from benchmarks.environment import started_databases
from benchmarks.table import as_json, as_markdown
from benchmarks.timing import Row

PARTS = ("sqlite", "postgres", "jetstream", "projections")


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"what to measure: {', '.join(PARTS)}; everything unless given",
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="how much work a round does (1.0 is all of it)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds; medians are printed")
    parser.add_argument(
        "--durable", action="store_true", help="let PostgreSQL sync each commit to disk"
    )
    parser.add_argument("--json", action="store_true", help="print every figure as JSON")
    arguments = parser.parse_args()
    for part in arguments.parts:
        if part not in PARTS:
            parser.error(f"unknown part {part!r}; known are {', '.join(PARTS)}")

    rows = []
    for row in _measure(arguments):
        rows.append(row)
        print(f"{row.store}: {row.operation} {row.ratios}", file=sys.stderr, flush=True)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"medians of {arguments.rounds} rounds, rivals in turn"
    )
    print(as_json(rows) if arguments.json else as_markdown(rows))


def _measure(arguments: argparse.Namespace) -> Iterator[Row]:
    parts = arguments.parts or PARTS
    scale, rounds = arguments.scale, arguments.rounds
    with started_databases(durable=arguments.durable) as (file, server):
        if "sqlite" in parts:
            yield from databases.sqlite_rows(file, scale, rounds)
        if "postgres" in parts:
            yield from databases.postgres_rows(server, scale, rounds)
        if "jetstream" in parts:
            # As above: a store's class needs Django's settings.
            from benchmarks.jetstream import jetstream_rows

            yield from jetstream_rows(scale, rounds)
        if "projections" in parts:
            # Has models, which can be imported now that Django is set up.
            from benchmarks.projections import projection_rows

            yield from projection_rows(server, scale, rounds)


if __name__ == "__main__":
    main()
