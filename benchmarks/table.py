"""Print rows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict

from benchmarks.timing import Row


def as_markdown(rows: Iterable[Row]) -> str:
    """Return a Markdown table; a target that is missed is marked."""
    lines = ["| store | operation | ours/s | ratio to (target) | note |", "|---|---|---:|---|---|"]
    for row in rows:
        ratios = "; ".join(
            f"{name} {ratio:.2f}{_against(ratio, row.targets.get(name))}"
            for name, ratio in row.ratios.items()
        )
        lines.append(
            f"| {row.store} | {row.operation} | {row.rates['ours']:,.0f} | {ratios} | {row.note} |"
        )
    return "\n".join(lines)


def as_json(rows: Iterable[Row]) -> str:
    """Return every figure as JSON."""
    return json.dumps([asdict(row) for row in rows], indent=1)


def _against(ratio: float, target: float | None) -> str:
    if target is None:
        return ""
    return f" ({target})" if ratio >= target else f" ({target}: **missed**)"
