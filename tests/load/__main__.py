"""
Load: `python -m tests.load --seconds 300`.

The sample project under gunicorn (one worker, 50 threads) on each store in turn, and 50 clients on
loopback that save, replay and list. Exits with 1 unless every request was answered, memory stayed
flat, no thread was stuck, the connections were as many as documented, and gunicorn stopped by
itself.
"""

from __future__ import annotations

import argparse
import sys
import threading
from dataclasses import dataclass, field

from tests.load.clients import Clients
from tests.load.server import WebServer, serving
from tests.load.targets import TARGETS

THREADS = 50
ACTORS = 1000
# What memory may grow by between the first third and the end: caches of actors fill up.
GROWTH = 1.15


@dataclass
class Samples:
    """What was seen of the worker, every half second."""

    memory: list[int] = field(default_factory=list)  # KiB
    threads: list[int] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)

    def watch(self, server: WebServer, connections, stop: threading.Event) -> None:
        while not stop.wait(0.5):
            self.memory.append(server.status("VmRSS"))
            self.threads.append(server.status("Threads"))
            if (count := connections()) is not None:
                self.connections.append(count)


def put_under_load(name: str, seconds: float, pause: float) -> list[str]:
    """Run one store; print a line of the table, and return what was not as it should be."""
    complaints = []
    samples = Samples()
    with TARGETS[name]() as target, serving(target, THREADS) as server:
        clients = Clients(server.port, THREADS, ACTORS, pause)
        clients.submit_all()
        stop = threading.Event()
        watching = threading.Thread(
            target=samples.watch, args=(server, target.connections, stop), daemon=True
        )
        watching.start()
        clients.ask_for(seconds)
        stop.set()
        watching.join()
        most = target.most_connections(THREADS)
    answers = clients.answers
    if answers.failed:
        complaints.append(f"{answers.failed} requests failed: {answers.errors}")
    third = len(samples.memory) // 3
    early = max(samples.memory[: third + 1])
    late = max(samples.memory[-third - 1 :])
    if late > GROWTH * early:
        complaints.append(f"memory grew from {early} to {late} KiB")
    if samples.threads[-1] > samples.threads[third] + 1:
        complaints.append(f"threads: {samples.threads[third]}, then {samples.threads[-1]}")
    if max(samples.connections, default=0) > most:
        complaints.append(f"{max(samples.connections)} connections, documented are {most}")
    if server.process.returncode != 0:
        complaints.append(f"gunicorn ended with {server.process.returncode}")
    conflicts = sum(number for (_, status), number in answers.statuses.items() if status == 409)
    print(
        f"| {name} | {seconds:.0f} | {len(answers.seconds):,} "
        f"| {len(answers.seconds) / seconds:.0f} | {answers.percentile(0.5):.0f}, "
        f"{answers.percentile(0.99):.0f} | {answers.failed} | {conflicts} "
        f"| {early / 1024:.0f}, {late / 1024:.0f} | {samples.threads[-1]} "
        f"| {max(samples.connections, default='-')} |",
        flush=True,
    )
    return [f"{name}: {complaint}" for complaint in complaints]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seconds", type=float, default=300.0, help="for each store, at most 3600")
    parser.add_argument("--stores", default=",".join(TARGETS), help="separated by commas")
    parser.add_argument(
        "--pause", type=float, default=0.2, help="seconds between a client's requests, on average"
    )
    options = parser.parse_args()
    print(
        "| store | seconds | requests | a second | ms: median, 99 % | failed | conflicts "
        "| MiB: first third, last | threads | connections |\n"
        "|---|---|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    complaints = []
    for name in options.stores.split(","):
        complaints += put_under_load(name, min(options.seconds, 3600.0), options.pause)
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
