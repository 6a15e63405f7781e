"""Charts as SVG, drawn by the server; the template needs no script and no inline style."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zlib import crc32

from django.utils import timezone
from django.utils.formats import date_format

from ..events import Event, ReplayError
from .scanning import Deadline, scan

COLOURS: Final = 48
BINS: Final = 60
WIDTH: Final = 720
HEIGHT: Final = 96
LEGEND: Final = 8

Point = tuple[datetime, str]


def local(timestamp: datetime) -> datetime:
    """Return an aware point in time in the current time zone.

    At the ends of the calendar, which programs like for "always" and "never", another zone would
    be in the year 0 or 10000: there it stays as it is.
    """
    try:
        return timezone.localtime(timestamp)
    except OverflowError:
        return timestamp


def colour(event_type: str) -> int:
    """Return the colour of an event type, 0 to 47; the same everywhere and always."""
    return crc32(event_type.encode()) % COLOURS


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle of the chart, in units of the view box."""

    x: float
    y: float
    width: float
    height: float
    colour: int
    label: str


@dataclass(frozen=True, slots=True)
class Activity:
    """Events over time, by type: stacked bars.

    Attributes:
        total: how many events are drawn.
        start, end: the timestamps of the first and the last.
        bars: the rectangles.
        legend: the most frequent types, and how many events each has.
        others: how many further types there are.
        highest: events in the fullest bin.
    """

    total: int = 0
    start: datetime | None = None
    end: datetime | None = None
    bars: list[Bar] = field(default_factory=list)
    legend: list[tuple[str, int]] = field(default_factory=list)
    others: int = 0
    highest: int = 0
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest part of a history.

    Attributes:
        chart: its events over time.
        types: the types of these.
        malformed: how many malformed events are in it.
        looked_at: how many events it is.
        whole: whether it is the whole history.
    """

    chart: Activity
    types: frozenset[str]
    malformed: int
    looked_at: int
    whole: bool


def recent_activity(
    newest: Iterator[Event | ReplayError], at_most: int, deadline: Deadline
) -> Recent:
    """Look at the ``newest`` events, at so many and as far as the time allows."""
    looked = scan(newest, _point, deadline, at_most=at_most)
    return Recent(
        activity(looked.found),
        frozenset(event_type for _, event_type in looked.found),
        looked.looked_at - len(looked.found),
        looked.looked_at,
        looked.done and looked.looked_at < at_most,
    )


def _point(item: Event | ReplayError) -> Point | None:
    return (item.timestamp, item.event_type) if isinstance(item, Event) else None


def activity(points: Sequence[Point]) -> Activity:
    """Return the chart of events given as (timestamp, type), in any order."""
    if not points:
        return Activity()
    times = [timestamp for timestamp, _ in points]
    start, end = min(times), max(times)
    bins: list[Counter[str]] = [Counter() for _ in range(BINS)]
    for timestamp, event_type in points:
        place = min(int(_share(timestamp, start, end) * BINS), BINS - 1)
        bins[place][event_type] += 1
    highest = max(held.total() for held in bins)
    totals = Counter(event_type for _, event_type in points)
    most = totals.most_common(LEGEND)
    return Activity(
        total=len(points),
        start=start,
        end=end,
        bars=[
            bar
            for place, held in enumerate(bins)
            for bar in _stack(place, held, highest, start + (end - start) * place / BINS)
        ],
        legend=most,
        others=len(totals) - len(most),
        highest=highest,
    )


def _share(timestamp: datetime, start: datetime, end: datetime) -> float:
    """Return which part of the time from ``start`` to ``end`` has passed; half of none."""
    return (timestamp - start) / (end - start) if end > start else 0.5


def _stack(place: int, held: Counter[str], highest: int, since: datetime) -> Iterable[Bar]:
    when = date_format(local(since), "Y-m-d H:i")
    step = WIDTH / BINS
    top = float(HEIGHT)
    for event_type, count in sorted(held.items()):
        # Whatever happened can be seen: no bar is lower than a line.
        height = max(count / highest * HEIGHT, 1.5)
        top -= height
        yield Bar(
            round(place * step + 1, 2),
            round(max(top, 0), 2),
            round(step - 2, 2),
            round(height, 2),
            colour(event_type),
            f"{event_type}: {count} · {when}",
        )


@dataclass(frozen=True, slots=True)
class Dot:
    """An event on a lane."""

    x: float
    y: float
    colour: int
    label: str


@dataclass(frozen=True, slots=True)
class Lane:
    """The line of one actor."""

    label: str
    y: float
    label_y: float


@dataclass(frozen=True, slots=True)
class Lanes:
    """Several actors on one time axis."""

    start: datetime
    end: datetime
    lanes: list[Lane]
    dots: list[Dot]
    width: int
    height: int


def lanes(actors: Sequence[tuple[str, Sequence[tuple[datetime, str, str]]]]) -> Lanes:
    """Return the chart of (actor id, [(timestamp, type, label)]), with one event at least."""
    row, margin = 36, 8
    times = [timestamp for _, points in actors for timestamp, *_ in points]
    start, end = min(times), max(times)
    drawn = Lanes(start, end, [], [], WIDTH, row * len(actors))
    for number, (actor_id, points) in enumerate(actors):
        y = row * number + row * 2 / 3
        drawn.lanes.append(Lane(actor_id, y, y - 10))
        for timestamp, event_type, label in points:
            x = margin + _share(timestamp, start, end) * (WIDTH - 2 * margin)
            drawn.dots.append(Dot(round(x, 2), y, colour(event_type), label))
    return drawn
