"""Real child processes, with Django set up on the databases of the running test."""

from __future__ import annotations

import importlib
import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from multiprocessing.connection import Connection
from typing import Any

import pytest

from tests.servers.databases import child_environment

EXIT_SECONDS = 15


class ChildFailed(AssertionError):
    """A child process raised, died or hung; the message holds its traceback or exit code."""


class Child:
    """
    One child process that runs `function(*arguments)`, a function at the top of a module.

    It is a new interpreter ("spawn"), not a fork: nothing of this process is inherited but
    `environment` (by default `child_environment()`: the databases this process is connected to).
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._results, answers = context.Pipe(duplex=False)
        # By name: unpickling the function itself would import its module before Django is set up.
        name = f"{function.__module__}:{function.__qualname__}"
        self.process = context.Process(
            target=_run, args=(answers, name, arguments), name=name, daemon=True
        )
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in (environment or child_environment()).items():
                patch.setenv(variable, value)
            self.process.start()
        # With our copy closed, the pipe ends when the child does.
        answers.close()

    def kill(self) -> None:
        """End the process at once (SIGKILL), as a crash would."""
        self.process.kill()
        self.process.join()

    def result(self, timeout: float = 60.0) -> Any:
        """
        Return what the function returned, once the process has ended.

        Raises `ChildFailed` if it raised, died, took over `timeout` seconds or would not end.
        """
        try:
            if not self._results.poll(timeout):
                raise ChildFailed(f"{self.process.name} was still running after {timeout:g} s")
            succeeded, value = self._results.recv()
            self.process.join(EXIT_SECONDS)
            if self.process.is_alive():
                raise ChildFailed(f"{self.process.name} answered but did not end")
        except EOFError:
            self.process.join()
            raise ChildFailed(
                f"{self.process.name} died with exit code {self.process.exitcode}"
            ) from None
        finally:
            self.kill()
        if not succeeded:
            raise ChildFailed(f"{self.process.name} failed:\n{value}")
        return value


def run_in_processes(
    function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]], *, timeout: float = 60.0
) -> list[Any]:
    """
    Run `function` once for each tuple of `arguments`, all at the same time, a process each.

    Returns:
        What each returned, in order.

    Raises:
        ChildFailed: one raised, died, or took longer than `timeout` seconds; all are ended first.
    """
    deadline = time.monotonic() + timeout
    children = [Child(function, *each) for each in arguments]
    try:
        return [child.result(max(0.0, deadline - time.monotonic())) for child in children]
    finally:
        for child in children:
            child.kill()


def _run(answers: Connection, name: str, arguments: tuple[Any, ...]) -> None:
    import django

    django.setup()
    try:
        module, _, function = name.partition(":")
        answer = (True, getattr(importlib.import_module(module), function)(*arguments))
    except BaseException:
        answer = (False, traceback.format_exc())
    answers.send(answer)
    answers.close()
