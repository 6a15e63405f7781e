"""Time rivals in turn, so that a drift of the machine's speed touches them alike."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

Rival = Callable[[], int]
"""Does some work and returns how many operations (events, calls) that was."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        store: what is measured, for example "postgresql".
        operation: the operation, for example "single append".
        rates: rival -> operations a second, the median of the rounds. "ours" is ours.
        ratios: rival -> ours / rival, the median of the ratios round by round.
        targets: rival -> the ratio that is aimed at.
        note: what else was measured.
    """

    store: str
    operation: str
    rates: dict[str, float]
    ratios: dict[str, float] = field(default_factory=dict)
    targets: dict[str, float] = field(default_factory=dict)
    note: str = ""


def compare(
    store: str,
    operation: str,
    rivals: Mapping[str, Rival],
    *,
    rounds: int,
    targets: Mapping[str, float] | None = None,
    note: str = "",
) -> Row:
    """Run each rival once to warm up, then ``rounds`` times in turn, and return the medians."""
    for rival in rivals.values():
        rival()
    rates: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, rival in rivals.items():
            gc.collect()
            start = perf_counter()
            operations = rival()
            rates[name].append(operations / (perf_counter() - start))
    ratios = {
        name: median(ours / theirs for ours, theirs in zip(rates["ours"], rates[name], strict=True))
        for name in rivals
        if name != "ours"
    }
    medians = {name: median(values) for name, values in rates.items()}
    return Row(store, operation, medians, ratios, dict(targets or {}), note)
