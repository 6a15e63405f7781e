"""Hearing of appends at once: a subscription to the subjects, for one message at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Final

from asgiref.sync import sync_to_async
from nats.errors import Error as NatsError

from ...watch import Watch
from ..client.connection import Connection

logger = logging.getLogger("django_eventstore")

_ANSWER_SECONDS: Final = 2.0


class JetStreamWatch(Watch):
    """Listens for the next message on the events' subjects; what it says is not looked at.

    Args:
        connection: returns this process's connection.
        subject: the subjects, with wildcards.
    """

    longest_pause = 1.0

    def __init__(self, connection: Callable[[], Connection], subject: str) -> None:
        self._connection = connection
        self._subject = subject
        self._heard = threading.Event()
        self._listening = False

    def wait(self, seconds: float) -> bool:
        if self._listening and not self._heard.wait(seconds):
            return False
        # Listening begins before the read that follows: nothing falls between them.
        self._heard.clear()
        try:
            future = self._connection().listen_once(self._subject, self._heard.set)
            self._listening = future.result(_ANSWER_SECONDS)
        except (TimeoutError, CancelledError, NatsError, OSError) as error:
            logger.info("Cannot listen to %s: %r", self._subject, error)
            self._listening = False
        if not self._listening:
            time.sleep(seconds)
        return self._listening

    async def await_(self, seconds: float) -> bool:
        return await sync_to_async(self.wait, thread_sensitive=False)(seconds)
