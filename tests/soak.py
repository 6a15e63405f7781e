"""
Histories under faults, for long: `python -m tests.soak --minutes 30`, or `make soak`.

All chosen stores run side by side, each in rounds of a minute: clients at work, servers killed,
frozen, cut off and out of disk, and at the end of each round the checker. Prints a line for each
round and a table in the end; exits with 1 if any promise was broken, with the history kept.
"""

from __future__ import annotations

import argparse
import os
import pickle
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROUND_SECONDS = 60.0
# Seconds between two faults: time to recover, and to work undisturbed.
CALM = (0.5, 5.0)
# A site is started anew after so many rounds: its small disk would fill up by itself.
ROUNDS_PER_SITE = 10


@dataclass
class Total:
    """What all rounds of one site come to."""

    name: str
    rounds: int = 0
    seconds: float = 0.0
    events: int = 0
    defects: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


def main() -> int:
    options = _options()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    from tests.servers.databases import make_run_directory

    make_run_directory()
    django.setup()
    names = options.sites.split(",")
    print(f"seed {options.seed}, {options.minutes:g} minutes: {', '.join(names)}", flush=True)
    end = time.monotonic() + options.minutes * 60
    with ThreadPoolExecutor(len(names)) as threads:
        totals = list(
            threads.map(lambda name: _soak(name, options.seed, end, options.pause), names)
        )
    _print_table(totals)
    return 1 if any(total.defects for total in totals) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--minutes", type=float, default=30.0, help="how long, at least")
    parser.add_argument(
        "--sites",
        default="sqlite,postgres,mariadb,jetstream,jetstream3",
        help="which stores, separated by commas",
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument(
        "--pause", type=float, default=0.01, help="seconds between a client's calls, on average"
    )
    return parser.parse_args()


def _soak(name: str, seed: int, end: float, pause: float) -> Total:
    """Run rounds on the site `name` until `end`, as `time.monotonic()` counts."""
    from tests.histories.sites import SITES

    total = Total(name)
    begun = time.monotonic()
    source = random.Random(f"{seed} {name}")
    while time.monotonic() < end:
        with SITES[name](source) as site:
            for _ in range(ROUNDS_PER_SITE):
                _round(site, total, source.randrange(2**32), pause)
                if time.monotonic() >= end:
                    break
    total.seconds = time.monotonic() - begun
    return total


def _round(site, total: Total, seed: int, pause: float) -> None:
    from tests.histories.clients import Workload
    from tests.histories.runs import Run

    total.rounds += 1
    workload = Workload(ROUND_SECONDS, pause=pause)
    report = Run(site, f"soak-{total.rounds}", seed, workload, calm=CALM).execute()
    total.events += len(report.history.log)
    total.defects += len(report.defects)
    total.faults.update(report.faults)
    for (kind, outcome), number in report.outcomes.items():
        total.outcomes["appends" if kind == "append" else "reads"] += number
        total.outcomes[f"append {outcome}" if kind == "append" else f"read {outcome}"] += number
    print(f"{total.name}, round {total.rounds}, seed {seed}: {report}", flush=True)
    for defect in report.defects[:20]:
        print(f"  {defect}", flush=True)
    if report.defects:
        kept = Path(tempfile.gettempdir(), f"soak-{total.name}-{seed}.pickle")
        kept.write_bytes(pickle.dumps(report.history))
        print(f"  the history is kept in {kept}", flush=True)


def _print_table(totals: list[Total]) -> None:
    outcomes = ["ok", "conflict", "failed", "unknown"]
    print("\n| store | minutes | rounds | events | appends: ", end="")
    print(", ".join(outcomes), "| reads: ok, failed | faults | broken promises |")
    print("|---|---|---|---|---|---|---|---|")
    for total in totals:
        appends = ", ".join(f"{total.outcomes[f'append {each}']:,}" for each in outcomes)
        # A client that is killed while it reads leaves a read without an outcome.
        reads = f"{total.outcomes['read ok']:,}, {total.outcomes['read failed']:,}"
        faults = ", ".join(f"{name} {number}" for name, number in sorted(total.faults.items()))
        print(
            f"| {total.name} | {total.seconds / 60:.1f} | {total.rounds} | {total.events:,} "
            f"| {appends} | {reads} | {faults} | {total.defects} |"
        )


if __name__ == "__main__":
    sys.exit(main())
