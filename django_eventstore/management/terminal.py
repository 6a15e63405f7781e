"""What the commands print, safe for a terminal and readable for scripts; and Ctrl-C."""

from __future__ import annotations

import base64
import re
import shutil
import signal
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any, Final, Self

import orjson
from django.core.management.base import OutputWrapper

from ..events import ReplayError

# Control characters (C0, C1, DEL), line and paragraph separators, and everything invisible that
# turns, joins or hides text around it (formats such as bidirectional overrides and tags).
_UNSAFE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"})
_SUSPECTS = re.compile(r"[^ -~]")
_BAR_WIDTH: Final = 20
_PLAIN_INTERVAL: Final = 10.0
_BAR_INTERVAL: Final = 0.1


def printable(text: str) -> str:
    """Return ``text`` with every character that could act on a terminal written as an escape.

    Stored text may hold escape sequences, line breaks and direction marks: printed as they are,
    they could colour, move, forge or hide output.
    """
    return text if text.isascii() and text.isprintable() else _SUSPECTS.sub(_escape, text)


def to_json(value: Any) -> str:
    """Return ``value`` as JSON on one line, with the characters that printable() escapes escaped.

    It says the same to whatever reads JSON. What JSON does not have becomes its ``str()``.
    """
    text = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return printable(text)


def error_to_dict(error: ReplayError) -> dict[str, Any]:
    """Return the JSON form of a ReplayError; raw bytes that are no text are in base64."""
    raw: dict[str, str]
    if isinstance(error.raw, str):
        raw = {"raw": error.raw}
    else:
        try:
            raw = {"raw": error.raw.decode()}
        except UnicodeDecodeError:
            raw = {"raw_base64": base64.b64encode(error.raw).decode()}
    return {
        "position": error.position,
        "actor_id": error.actor_id,
        "error": str(error.error),
        "cause": type(error.error).__name__,
        **raw,
    }


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if unicodedata.category(character) not in _UNSAFE_CATEGORIES:
        return character
    # Two escapes beyond U+FFFF, so that JSON text stays JSON text that says the same.
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(
        f"\\u{int.from_bytes(units[place : place + 2]):04x}" for place in range(0, len(units), 2)
    )


def columns(text: str) -> int:
    """Return how many columns of a terminal ``text`` takes."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def fit(text: str, width: int | None) -> str:
    """Return ``text``, cut to ``width`` columns with an ellipsis where it is longer."""
    if width is None or columns(text) <= width:
        return text
    while text and columns(text) > width - 1:
        text = text[:-1]
    return f"{text}…"


def table(
    headers: Sequence[str], rows: Iterable[Sequence[object]], *, width: int | None = None
) -> Iterator[str]:
    """Yield the lines of a table: a header and a line a row; numbers stand to the right.

    Args:
        headers: the names of the columns.
        rows: cells, made printable here.
        width: the columns of the terminal, to which lines are cut; None: as long as they are.
    """
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    rows_and_head = [list(headers), *cells]
    widths = [max(columns(row[place]) for row in rows_and_head) for place in range(len(headers))]
    numeric = [all(_is_number(row[place]) for row in cells) for place in range(len(headers))]
    for row in rows_and_head:
        parts = [
            " " * (size - columns(cell)) + cell if right else cell + " " * (size - columns(cell))
            for cell, size, right in zip(row, widths, numeric, strict=True)
        ]
        yield fit("  ".join(parts).rstrip(), width)


def _is_number(cell: str) -> bool:
    return not cell or cell.replace(",", "").lstrip("-").isdecimal()


def duration(value: timedelta) -> str:
    """Return how long that is, in the largest unit that it has two of: ``90 s``, ``36 h``."""
    seconds = value.total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"


def terminal_width(out: OutputWrapper) -> int | None:
    """Return the width of the terminal that ``out`` is, in columns; None where it is none."""
    return shutil.get_terminal_size().columns if out.isatty() else None


class Progress:
    """How far a command has come: a bar on a terminal, elsewhere a plain line now and then.

    It is taken away at the end of its ``with`` block.

    Args:
        out: where to (standard error, so that output can be piped on).
        label: what is being done.
        total: how much there is to do, in the unit of ``show(done)``; None: unknown.
        joining: what the first ``show()`` tells of was done before, and is not in the rate.
        on_step: called with each ``show()``.
    """

    def __init__(
        self,
        out: OutputWrapper,
        label: str,
        total: int | None = None,
        *,
        joining: bool = False,
        on_step: Callable[[], None] = lambda: None,
    ) -> None:
        self.out = out
        self.label = label
        self.total = total
        self.started = time.monotonic()
        self.bar = out.isatty()
        self._next = self.started + (0.0 if self.bar else _PLAIN_INTERVAL)
        self._drawn = False
        self._before = None if joining else 0
        self._on_step = on_step

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.clear()

    def show(self, done: int, unit: str = "events", *, count: int | None = None) -> None:
        """Show that ``done`` of the total is done, which makes ``count`` of ``unit``.

        The total is in the same unit, unless ``count`` is given.
        """
        count = done if count is None else count
        if self._before is None:
            self._before = count
        rate = (count - self._before) / max(time.monotonic() - self.started, 0.001)
        self._show(f"{self._part(done)} {count:,} {unit}, {rate:,.0f}/s")
        self._on_step()

    def show_part(self, done: int) -> None:
        """Show that ``done`` of the total is done, which is nothing that people count in."""
        self._show(self._part(done))

    def clear(self) -> None:
        """Take the bar away; call it before printing anything else."""
        if self._drawn:
            self._write("\r\x1b[K")
            self._drawn = False

    def say(self, text: str) -> None:
        """Print a line, of stored text too, where the bar is."""
        self.clear()
        self.out.write(printable(text))

    def _show(self, text: str) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (_BAR_INTERVAL if self.bar else _PLAIN_INTERVAL)
        if self.bar:
            self._drawn = True
            self._write(f"\r{fit(text, shutil.get_terminal_size().columns - 1)}\x1b[K")
        else:
            self._write(f"{text}\n")

    def _part(self, done: int) -> str:
        if not self.total:
            return self.label
        part = min(done / self.total, 1.0)
        if not self.bar:
            return f"{self.label} {part:.0%}"
        full = round(part * _BAR_WIDTH)
        return f"{self.label} [{'#' * full}{'.' * (_BAR_WIDTH - full)}] {part:4.0%}"

    def _write(self, text: str) -> None:
        self.out.write(text, style_func=str, ending="")
        self.out.flush()


class Interrupt:
    """Watches for SIGINT and SIGTERM inside its ``with`` block.

    Ctrl-C once: finish what is begun, say how far it went, and end. Twice: end at once.

    The first one is noted, for the work to ``check()`` where it can be left; in a ``waiting()``
    block it raises at once, and so does the second one anywhere. What is raised is
    KeyboardInterrupt. Outside the main thread there are no signals to watch, and nothing happens.
    """

    def __init__(self) -> None:
        self.requested = False
        self._waiting = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def is_set(self) -> bool:
        """Tell whether a signal has come: so this can end a subscription, as its ``stop``."""
        return self.requested

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal has come."""
        if self.requested:
            raise KeyboardInterrupt

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let a signal raise at once inside the block, in which nothing is half done."""
        self.check()
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested or self._waiting:
            raise KeyboardInterrupt
        self.requested = True
