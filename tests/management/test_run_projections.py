"""run_projections."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from django_eventstore.models import ConsumerWorker, ShardLease
from tests.servers.databases import child_environment, sqlite_settings
from tests.support.projections.counting import save
from tests.support.projections.figures import agree

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_command_catches_up_and_tells(capsys, poisoned):
    poisoned.add(3)
    save("default", 10)
    with pytest.raises(CommandError, match="parked"):
        call_command("run_projections", "counting-default", "--once")
    assert "cannot apply 3" in capsys.readouterr().out
    poisoned.clear()
    call_command("run_projections", "counting-default", "--once", "--retry-parked")
    agree("default")


def test_the_command_ends_in_order_on_sigterm():
    class Terminate(threading.Thread):
        def run(self):
            while not ShardLease.objects.exclude(owner=None).exists():
                pass
            connections.close_all()
            os.kill(os.getpid(), signal.SIGTERM)

    terminate = Terminate()
    terminate.start()
    call_command("run_projections", "counting-default")
    terminate.join()
    assert not ConsumerWorker.objects.exists()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("alias", ["default", "postgres"])
def test_missing_tables_end_the_command_at_once(alias, workers, request, tmp_path):
    if alias == "postgres":
        # Never migrated, unlike that of the tests.
        empty = request.getfixturevalue("postgres_server").django_settings("postgres")
    else:
        empty = sqlite_settings("empty", tmp_path)
    arguments = ("run_projections", f"counting-{alias}", f"--workers={workers}")
    ended = subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        check=False,
        env={**os.environ, **child_environment(**{alias: empty})},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert f"counting-{alias} cannot start: " in ended.stderr
    assert "have all migrations been applied, with migrate?" in ended.stderr
    assert "Traceback" not in ended.stderr
