"""Applications as a municipality of some 40,000 people gets them: made up, and always the same.

The same seed makes the same events, ids and timestamps included: storing them twice stores them
once.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from django_eventstore import Event

from . import events

START = datetime(2022, 1, 3, 8, 0, tzinfo=UTC)
DAYS = 730
LONG_HISTORIES = 0.006
"""The part of all applications that drag on for years."""

# fmt: off
FIRST_NAMES = [
    "Anna", "Bram", "Chidi", "Daan", "Elif", "Femke", "Gijs", "Hana", "Imran", "Joris", "Karin",
    "Lotte", "Milan", "Noor",
]
LAST_NAMES = [
    "Bakker", "Çelik", "de Boer", "Dijkstra", "Hendriks", "Jansen", "Müller", "Nguyễn", "Okafor",
    "Smit", "van 't Hof", "Visser",
]
STREETS = [
    "Brink", "Dorpsstraat", "Eikenlaan", "Havenkade", "Kerkweg", "Molenpad", "Sluisdijk",
    "Veenweg",
]
# fmt: on
WORKS = {
    "dormer": (8_000, 25_000),
    "extension": (20_000, 90_000),
    "garden shed": (1_500, 9_000),
    "house": (180_000, 650_000),
    "solar panels": (4_000, 16_000),
    "felling of a tree": (300, 2_500),
    "shop front": (5_000, 60_000),
    "barn": (25_000, 140_000),
}
DOCUMENTS = ["site plan", "elevations", "structural calculation", "soil report", "consent of owner"]
ADVISERS = ["fire brigade", "heritage committee", "water board", "planning committee"]
STAFF = ["a.bakker", "e.celik", "f.dijkstra", "h.jansen", "i.okafor", "l.visser", "n.smit"]
INSPECTORS = ["g.hendriks", "k.muller"]
GROUNDS = ["conflicts with the zoning plan", "unfavourable advice", "documents incomplete"]
CONDITIONS = ["start within a year", "report the start of work", "work on weekdays only"]
NOTES = [
    "Called the applicant; she will send the drawings next week.",
    "Neighbour came to look at the file.",
    "Asked the planning desk whether the old exemption still holds.",
    "Drawing B-2 does not match the elevations; asked for a new one.",
    "Applicant's architect is away until the 14th.",
]


def generate(applications: int = 2000, seed: int = 2022) -> Iterator[Event]:
    """Yield the events of this many applications, in the order in which they happened."""
    random = Random(seed)
    starts = sorted(random.uniform(0, DAYS) for _ in range(applications))
    # Only the applications that have begun are held: each yields its own events in order.
    running: list[tuple[datetime, int, Event, Iterator[Event]]] = []
    for number, start in enumerate(starts, 1):
        submitted = START + timedelta(days=start)
        while running and running[0][0] < submitted:
            yield _next(running)
        history = _Application(number, submitted, Random(f"{seed}-{number}")).history()
        first = next(history)
        heapq.heappush(running, (first.timestamp, number, first, history))
    while running:
        yield _next(running)


def _next(running: list[tuple[datetime, int, Event, Iterator[Event]]]) -> Event:
    _, number, event, history = running[0]
    following = next(history, None)
    if following is None:
        heapq.heappop(running)
    else:
        heapq.heapreplace(running, (following.timestamp, number, following, history))
    return event


class _Application:
    """One application's history."""

    def __init__(self, number: int, submitted: datetime, random: Random) -> None:
        self.id = f"application-{submitted.year}-{number:05}"
        self.now = submitted
        self.random = random
        self.handler = random.choice(STAFF)
        self.last: Event | None = None

    def history(self) -> Iterator[Event]:
        random = self.random
        work = random.choice(list(WORKS))
        cost = round(random.uniform(*WORKS[work]), -2)
        name = f"{random.choice(FIRST_NAMES)} {random.choice(LAST_NAMES)}"
        yield self._event(
            events.application_submitted(
                self.id,
                applicant=name,
                work=work,
                address=f"{random.choice(STREETS)} {random.randint(1, 180)}",
                cost=int(cost),
                channel=random.choice(["internet", "internet", "internet", "desk", "post"]),
            ),
            by=None,
        )
        decide_by = (self.now + timedelta(weeks=8)).date().isoformat()
        yield self._event(events.receipt_confirmed(self.id, decide_by=decide_by), minutes=3)
        yield self._event(events.case_assigned(self.id, handler=self.handler), days=2)
        yield from self._documents()
        fee = int(cost * 1.9)
        yield self._event(events.fee_charged(self.id, cents=fee), minutes=40)
        yield from self._advice()
        if random.random() < LONG_HISTORIES:
            yield from self._drag_on()
        if random.random() < 0.06:
            yield self._event(events.application_withdrawn(self.id), days=9, by=None)
            return
        yield self._event(events.fee_paid(self.id, cents=fee), days=12, by=None)
        if random.random() < 0.4:
            yield self._event(
                events.site_inspected(self.id, findings="as drawn"),
                days=8,
                by=random.choice(INSPECTORS),
            )
        yield self._decision()
        if random.random() < 0.07:
            yield from self._objection()

    def _documents(self) -> Iterator[Event]:
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            missing = self.random.sample(DOCUMENTS, self.random.randint(1, 3))
            yield self._event(events.documents_requested(self.id, documents=missing), days=3)
            yield self._event(
                events.documents_received(self.id, documents=missing), days=14, by=None
            )

    def _advice(self) -> Iterator[Event]:
        for adviser in self.random.sample(ADVISERS, self.random.choice([0, 0, 1, 2])):
            yield self._event(events.advice_requested(self.id, adviser=adviser), days=2)
            yield self._event(
                events.advice_given(
                    self.id, adviser=adviser, favourable=self.random.random() < 0.85
                ),
                days=10,
                by=adviser,
            )

    def _drag_on(self) -> Iterator[Event]:
        for _ in range(self.random.randint(60, 500)):
            text = self.random.choice(NOTES)
            yield self._event(events.note_added(self.id, text=text), days=0.8)

    def _decision(self) -> Event:
        if self.random.random() < 0.82:
            conditions = self.random.sample(CONDITIONS, self.random.randint(1, 3))
            return self._event(events.permit_granted(self.id, conditions=conditions), days=10)
        grounds = self.random.choice(GROUNDS)
        return self._event(events.permit_refused(self.id, grounds=grounds), days=10)

    def _objection(self) -> Iterator[Event]:
        by = f"{self.random.choice(FIRST_NAMES)} {self.random.choice(LAST_NAMES)}"
        yield self._event(events.objection_filed(self.id, by=by), days=20, by=None)
        upheld = self.random.random() < 0.2
        yield self._event(events.objection_decided(self.id, upheld=upheld), days=45)
        if upheld:
            yield self._decision()

    def _event(
        self, event: Event, *, days: float = 0, minutes: float = 0, by: str | None = "the handler"
    ) -> Event:
        """Return ``event`` as it happened: some time after the last one, which caused it."""
        # A part of the mean at least: no two events share a time.
        self.now += timedelta(days=days, minutes=minutes) * self.random.uniform(0.2, 1.8)
        metadata = {"correlation_id": self.id}
        if by is not None:
            metadata["user_id"] = self.handler if by == "the handler" else by
        if self.last is not None:
            metadata["causation_id"] = self.last.id
        self.last = replace(
            event,
            id=self._uuid(),
            version=1 if self.last is None else (self.last.version or 0) + 1,
            command_id=self._uuid(),
            timestamp=self.now,
            metadata=metadata,
        )
        return self.last

    def _uuid(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4))
