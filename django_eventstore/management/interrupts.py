"""Ctrl-C once: finish what is begun, say how far it went, and end. Twice: end at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupt:
    """Watches for SIGINT and SIGTERM inside its ``with`` block.

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

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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
