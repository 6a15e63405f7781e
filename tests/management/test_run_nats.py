"""The development server."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from django_eventstore import Event, StoreUnavailableError
from tests.servers.process import wait_until
from tests.servers.scratch import free_port
from tests.support.children import child_environment
from tests.support.jetstream import open_store

pytestmark = pytest.mark.needs("nats-server")


def run(tmp_path, port, *arguments):
    """Start the command; its events are kept in `tmp_path`."""
    command = [sys.executable, "-m", "django", "run_nats", "--port", str(port)]
    return subprocess.Popen(
        [*command, "--directory", str(tmp_path / "events"), *arguments],
        env={**child_environment(), "DJANGO_SETTINGS_MODULE": "tests.settings"},
        cwd=Path(__file__).parent.parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_it_serves_until_it_is_stopped_and_keeps_its_events(tmp_path):
    port = free_port()
    store = open_store(f"nats://127.0.0.1:{port}")

    def answers():
        try:
            return store.setup() == []
        except StoreUnavailableError:
            return False

    for number in (1, 2):
        process = run(tmp_path, port)
        try:
            wait_until(answers, "the server serves", 60)
            assert store.save_event(Event("order-1", "counted")).version == number
        finally:
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=30)
        assert f"nats://127.0.0.1:{port}".encode() in output


def test_a_server_that_is_not_there_is_said(tmp_path):
    process = run(tmp_path, free_port(), "--server", str(tmp_path / "no-such-server"))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"no-such-server" in errors
