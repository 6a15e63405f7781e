"""
Client processes that start in milliseconds.

`tests.support.children` starts a new interpreter for each child. A run here takes a dozen of them,
so they are forked instead, from a process that has Django set up and has never opened a connection.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from tests.support.children import ChildFailed

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.histories.preload"])


class Worker:
    """
    A process that runs `function(*arguments)`.

    Args:
        function: one at the top of a module.
        databases: entries of `DATABASES` that it uses instead of the settings' own.
    """

    def __init__(
        self, function: Callable[..., Any], *arguments: Any, databases: Mapping[str, dict[str, Any]]
    ) -> None:
        self.name = function.__name__
        self._answers, answers = _context.Pipe(duplex=False)
        self.process = _context.Process(
            target=_run, args=(answers, function, arguments, dict(databases)), daemon=True
        )
        self.process.start()
        # With our copy closed, the pipe ends when the process does.
        answers.close()

    def kill(self) -> None:
        """End the process at once (SIGKILL), as a crash would."""
        # Asked first: once it has ended, its number may be another process's.
        if self.process.is_alive():
            self.process.kill()
        self.process.join()

    def result(self, timeout: float = 60.0) -> Any:
        """
        Return what the function returned, within `timeout` seconds.

        Raises:
            ChildFailed: it raised, died or hung.
        """
        try:
            if not self._answers.poll(timeout):
                raise ChildFailed(f"{self.name} was still running after {timeout:.0f} s")
            succeeded, value = self._answers.recv()
        except EOFError:
            raise ChildFailed(f"{self.name} died") from None
        finally:
            self.kill()
        if not succeeded:
            raise ChildFailed(f"{self.name} failed:\n{value}")
        return value


def _run(
    answers: Connection,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    databases: dict[str, dict[str, Any]],
) -> None:
    from django.db import connections

    for alias, entry in databases.items():
        connections.settings[alias] = connections.configure_settings({"default": entry})["default"]
        # Made while Django was set up, if never opened.
        with contextlib.suppress(AttributeError):
            del connections[alias]
    try:
        answer = (True, function(*arguments))
    except BaseException:
        answer = (False, traceback.format_exc())
    answers.send(answer)
    answers.close()
    # At once, as after a crash: nothing here needs to be put in order.
    os._exit(0)
