"""A server program as a child process that never outlives this one."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

POLL_SECONDS = 0.01


class ServerError(Exception):
    """A server did not start, stop or get ready; the message ends with the tail of its log."""


def wait_until(condition: Callable[[], object], what: str, timeout: float = 120.0) -> None:
    """
    Poll `condition` until it is true; raise `ServerError` after `timeout` seconds.

    Only what is broken is waited for so long: a busy machine must fail no test.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise ServerError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(POLL_SECONDS)


@functools.cache
def _spawner(pid: int) -> ThreadPoolExecutor:
    """
    Return the thread that starts this process's servers (`pid`: a fork needs its own).

    Linux ties "die with your parent" to the thread that started the child, so servers are started
    by one that lives as long as the process, whoever asks.
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"servers-of-{pid}")


class ServerProcess:
    """
    One server program: `argv` is run as `user` (None: as we are), its output goes to `log`.

    When this process dies, the program gets the signal `orphaned`.

    The methods may be called from any thread, one at a time.
    """

    def __init__(
        self,
        argv: Sequence[object],
        *,
        log: Path,
        user: str | None = None,
        orphaned: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.argv = [str(argument) for argument in argv]
        self.log = log
        self.user = user
        self.orphaned = orphaned
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    @property
    def pid(self) -> int:
        """The process id of the running server; raises `ServerError` if it was never started."""
        if self._process is None:
            raise ServerError(f"{self.argv[0]} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the program is there; a paused one is."""
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """What the program ended with (negative: by that signal), or None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start the program; it may not be ready for some time (see `wait_until_ready`)."""
        if self.running:
            raise ServerError(f"{self.argv[0]} already runs")
        self._owner = os.getpid()
        atexit.register(self._end_with_owner)
        self._process = _spawner(self._owner).submit(self._spawn).result()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*_confined(self.user, self.orphaned), *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the tests; they stop their servers in order.
                start_new_session=True,
            )

    def wait_until_ready(self, ready: Callable[[], object], timeout: float = 30.0) -> None:
        """Poll `ready`; raise `ServerError` when the program ends first or `timeout` s pass."""

        def ready_or_ended() -> bool:
            return bool(ready()) or not self.running

        try:
            wait_until(ready_or_ended, f"{self.argv[0]} is ready", timeout)
        except ServerError as error:
            raise ServerError(f"{error}\n{self.log_tail()}") from error
        if not self.running:
            raise ServerError(f"{self.argv[0]} ended while starting\n{self.log_tail()}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program, if it runs."""
        if self.running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End the program at once (SIGKILL), as a crash would."""
        self.send(signal.SIGKILL)
        self._reap(timeout=10)

    def pause(self) -> None:
        """Freeze the program (SIGSTOP): it holds its connections and answers nothing."""
        self.send(signal.SIGSTOP)
        # The signal takes a moment to reach every thread.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a paused program go on (SIGCONT)."""
        self.send(signal.SIGCONT)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 20.0) -> None:
        """Ask the program to end by signal `number`; kill it when it takes over `timeout` s."""
        atexit.unregister(self._end_with_owner)
        self.send(number)
        self.resume()
        try:
            self._reap(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def log_tail(self, lines: int = 30) -> str:
        """Return the last lines of what the program printed."""
        if not self.log.exists():
            return "(no output)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _reap(self, timeout: float) -> None:
        if self._process is not None:
            self._process.wait(timeout)

    def _end_with_owner(self) -> None:
        if os.getpid() == self._owner:
            self.stop(self.orphaned)


def _confined(user: str | None, orphaned: signal.Signals = signal.SIGKILL) -> list[str]:
    """
    Return the command prefix that ties a program to its parent's life and to `user`.

    `setpriv` rather than `preexec_fn`, which is unsafe in a process with threads; it replaces
    itself with the program, so the process id is the server's. Where it is missing (not Linux), a
    killed test run can leave a server behind; a run that ends by itself does not.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None:
        if user is not None:
            raise ServerError(f"cannot run a server as {user!r}: util-linux' setpriv is missing")
        return []
    prefix = [setpriv, "--pdeathsig", orphaned.name.removeprefix("SIG")]
    if user is not None:
        prefix += ["--reuid", user, "--regid", _group_of(user), "--init-groups"]
    return [*prefix, "--"]


def _group_of(user: str) -> str:
    import pwd

    return str(pwd.getpwnam(user).pw_gid)


def run_tool(argv: Sequence[object], *, user: str | None = None, cwd: Path | None = None) -> None:
    """Run a server's set-up program as `user`; raise `ServerError` with its output if it fails."""
    command = [*_confined(user), *(str(argument) for argument in argv)]
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False, cwd=cwd
    )
    if result.returncode:
        output = (result.stdout + result.stderr).decode(errors="replace")
        raise ServerError(f"{command} ended with {result.returncode}:\n{output}")
