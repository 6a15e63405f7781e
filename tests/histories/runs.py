"""A run: clients at work, faults in the middle of it, and what the checker says in the end."""

from __future__ import annotations

import itertools
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.histories import clients
from tests.histories.checker import Defect, History, check
from tests.histories.clients import Workload
from tests.histories.operations import read_operations
from tests.histories.sites import Site
from tests.histories.workers import Worker
from tests.servers.process import wait_until
from tests.servers.scratch import scratch_directory
from tests.support.children import ChildFailed

CLIENT_KILLED = "client killed"
# A client that is still busy so long after its time has hung.
GRACE = 60.0


@dataclass(slots=True)
class Report:
    """What a run showed.

    Attributes:
        defects: every broken promise.
        outcomes: (kind, outcome) of calls -> how many.
        faults: name -> how many.
        history: what was checked.
    """

    defects: list[Defect]
    outcomes: Counter[tuple[str, str]]
    faults: Counter[str]
    history: History

    def __str__(self) -> str:
        calls = ", ".join(
            f"{kind} {outcome} {number}"
            for (kind, outcome), number in sorted(self.outcomes.items())
        )
        faults = ", ".join(f"{name} {number}" for name, number in sorted(self.faults.items()))
        return f"{len(self.history.log)} events stored; calls: {calls}; faults: {faults or 'none'}"


@dataclass
class Run:
    """
    Clients on one site, for a time, with faults drawn from `faults` between them.

    Args:
        site: a started one.
        namespace: unused so far; runs on one site differ in it.
        seed: decides what clients do and which faults there are; what comes of it also depends on
            how the processes take turns.
        workload: what clients do.
        faults: which faults to bring about, by name; the default is all of the site's.
        count: how many clients there are at any time.
        calm: the shortest and the longest time in seconds between two faults.
    """

    site: Site
    namespace: str
    seed: int
    workload: Workload
    faults: Sequence[str] | None = None
    count: int = 3
    calm: tuple[float, float] = (0.2, 0.8)
    _names: Iterator[int] = field(default_factory=itertools.count)

    def execute(self) -> Report:
        """Do it, and return what it showed."""
        entry = self.site.entry(self.namespace)
        databases = self.site.databases()
        Worker(clients.prepare, entry, databases=databases).result()
        source = random.Random(self.seed)
        happened: Counter[str] = Counter()
        hung: list[Defect] = []
        with self._clients(entry, databases) as (directory, children, add):
            end = time.monotonic() + self.workload.seconds
            names = self._fault_names()
            while names and time.monotonic() < end:
                time.sleep(source.uniform(*self.calm))
                name = source.choice(names)
                if name == CLIENT_KILLED:
                    victim = source.choice(list(children))
                    children.pop(victim).kill()
                    add(end - time.monotonic())
                else:
                    self.site.faults[name]()
                happened[name] += 1
            for name, child in children.items():
                left = max(0.0, end - time.monotonic())
                try:
                    child.result(left + GRACE)
                except ChildFailed as error:
                    hung.append(Defect("client ended badly", f"{name}: {error}"))
            operations = [
                operation
                for path in sorted(directory.iterdir())
                for operation in read_operations(path, path.name)
            ]
        everything = Worker(
            clients.read_everything, entry, self.workload.actors, databases=databases
        )
        log, actors = everything.result()
        history = History(operations, log, actors, stale_reads=self.site.stale_reads)
        outcomes = Counter((operation.kind, operation.outcome) for operation in operations)
        return Report([*hung, *check(history)], outcomes, happened, history)

    def _fault_names(self) -> list[str]:
        if self.faults is not None:
            return list(self.faults)
        return [CLIENT_KILLED, *self.site.faults]

    @contextmanager
    def _clients(self, entry: dict[str, Any], databases: dict[str, Any]) -> Iterator[Any]:
        directory = scratch_directory("es-history-")
        children: dict[str, Worker] = {}

        def add(seconds: float) -> None:
            number = next(self._names)
            name = f"c{number}"
            children[name] = Worker(
                clients.run_client,
                entry,
                replace(self.workload, seconds=max(0.0, seconds)),
                str(directory),
                name,
                hash((self.seed, number)),
                databases=databases,
            )

        try:
            for _ in range(self.count):
                add(self.workload.seconds)
            wait_until(lambda: len(list(directory.iterdir())) == self.count, "clients have begun")
            yield directory, children, add
        finally:
            for child in children.values():
                child.kill()
            shutil.rmtree(directory, ignore_errors=True)
