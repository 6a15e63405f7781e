"""What tells a subscription that something may have been saved."""

from __future__ import annotations

import asyncio
import time


class Watch:
    """Tells that something may have been saved. A hint: it may be wrong, late or missing.

    This one knows nothing, and lets its reader look again at short intervals. A backend whose
    server sends notifications returns a better one from ``watch()``: opened before the first
    read, so that nothing falls between a read and the wait after it. It opens a connection by
    itself, again when that is lost, and raises nothing that the store's reads do not.

    Attributes:
        longest_pause: the most seconds between two reads, where nothing is heard of.
    """

    longest_pause: float = 0.25

    def wait(self, seconds: float) -> bool:
        """Wait for at most ``seconds``; return True as soon as a read is worth while."""
        time.sleep(seconds)
        return False

    async def await_(self, seconds: float) -> bool:
        """See wait()."""
        await asyncio.sleep(seconds)
        return False

    def close(self) -> None:
        """Release what it holds. Called once, from the thread or task that waited."""

    async def aclose(self) -> None:
        """See close()."""
        self.close()
