"""Threads that ask the web server for pages, and what they were answered."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

# What a client does, and how often among a hundred requests.
MIX = {"note": 40, "state": 40, "latest": 12, "recent": 4, "actors": 4}
# A request that takes longer has hung.
TIMEOUT = 30.0


@dataclass
class Answers:
    """What all clients saw together.

    Attributes:
        statuses: (page, status) -> how often; status 0: no answer.
        seconds: how long each request took.
        errors: the first few answers that were none.
    """

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many requests failed; that another writer was first is no failure."""
        return sum(
            number for (_, status), number in self.statuses.items() if status not in {200, 201, 409}
        )

    def percentile(self, share: float) -> float:
        """Return the time in milliseconds that `share` of the requests took at most."""
        return sorted(self.seconds)[int(share * (len(self.seconds) - 1))] * 1000


class Clients:
    """
    `count` threads, each with a connection of its own.

    Args:
        port: of the web server on 127.0.0.1.
        count: how many.
        actors: how many applications there are.
        pause: seconds between two requests of a client, on average.
    """

    def __init__(self, port: int, count: int, actors: int, pause: float) -> None:
        self.port = port
        self.count = count
        self.actors = actors
        self.pause = pause
        self.answers = Answers()
        self._lock = threading.Lock()

    def submit_all(self) -> None:
        """Submit every application, so that there is something to ask for."""
        chunks = [range(number, self.actors, self.count) for number in range(self.count)]

        def work(number: int) -> None:
            connection = self._connect()
            for actor in chunks[number]:
                self._ask(connection, "POST", "submit", f"/submit/P-{actor}")
            connection.close()

        self._together(work, 120.0)

    def ask_for(self, seconds: float) -> None:
        """Ask for pages at random, for `seconds`."""
        end = time.monotonic() + seconds

        def work(number: int) -> None:
            source = random.Random(number)
            connection = self._connect()
            while time.monotonic() < end:
                [page] = source.choices(list(MIX), list(MIX.values()))
                actor = f"/P-{source.randrange(self.actors)}"
                address = f"/{page}{'' if page in {'recent', 'actors'} else actor}"
                self._ask(connection, "POST" if page == "note" else "GET", page, address)
                time.sleep(source.uniform(0, 2 * self.pause))
            connection.close()

        self._together(work, seconds + 2 * TIMEOUT)

    def _together(self, work, timeout: float) -> None:
        threads = [
            threading.Thread(target=work, args=(number,), daemon=True)
            for number in range(self.count)
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        stuck = sum(thread.is_alive() for thread in threads)
        if stuck:
            raise AssertionError(f"{stuck} clients were still waiting after {timeout:.0f} s")

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)

    def _ask(
        self, connection: http.client.HTTPConnection, method: str, page: str, address: str
    ) -> None:
        begun = time.monotonic()
        try:
            connection.request(method, address)
            response = connection.getresponse()
            status, body = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            status, body = 0, repr(error).encode()
            connection.close()
        taken = time.monotonic() - begun
        with self._lock:
            self.answers.statuses[page, status] += 1
            self.answers.seconds.append(taken)
            if status not in {200, 201, 409} and len(self.answers.errors) < 5:
                self.answers.errors.append(f"{address}: {status} {body[:300]!r}")
