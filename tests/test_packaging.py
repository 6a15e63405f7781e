"""What is built and published is the package, all of it, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A directory with the wheel and the source archive."""
    directory = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return directory


def packaged_files():
    """Return the files that git keeps or would keep of the package, relative to the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("not in a git work tree")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "django_eventstore"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in result.stdout.splitlines() if (ROOT / name).exists()}


def test_the_wheel_holds_the_package_and_nothing_else(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        info = next(name for name in wheel.namelist() if name.endswith("METADATA"))
        metadata = wheel.read(info).decode()

    assert names == packaged_files()
    assert "django_eventstore/py.typed" in names
    assert "License-Expression: BSD-3-Clause" in metadata


def test_the_source_archive_holds_what_its_list_names(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        tops = {Path(name).parts[1] for name in archive.getnames()}

    assert tops <= {
        *("django_eventstore", "sample_project", "tests", "benchmarks", "docs"),
        *("CHANGELOG.md", "LICENSE", "Makefile", "README.md", "pyproject.toml", "tox.ini"),
        *("PKG-INFO", ".gitignore"),
    }
    assert {"django_eventstore", "tests", "LICENSE"} <= tops


# What an installation without extras lacks.
OPTIONAL = [
    *("nats", "nkeys", "psycopg", "MySQLdb", "pymysql", "environ"),
    *("opentelemetry", "prometheus_client", "factory"),
]
WITHOUT_EXTRAS = f"""
import sys
sys.modules.update(dict.fromkeys({OPTIONAL!r}))  # None: cannot be imported
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django_eventstore"],
    DATABASES={{"default": {{
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        "OPTIONS": {{"transaction_mode": "IMMEDIATE"}},
    }}}},
)
django.setup()
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import override_settings
from django_eventstore import Event, event_store
from django_eventstore.test import given
call_command("migrate", verbosity=0)
print(event_store.save_event(Event("order-1", "placed")).version)
print([message.id for message in run_checks() if message.is_serious()])
backend = "django_eventstore.backends.jetstream.JetStreamEventStore"
with override_settings(EVENT_STORES={{"default": {{"BACKEND": backend}}}}):
    print([f"{{message.id}} {{message.msg}}" for message in run_checks() if message.is_serious()])
"""


def test_without_any_extra_the_database_store_works_and_jetstream_names_its_extra():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    version, errors, jetstream = done.stdout.splitlines()
    assert (version, errors) == ("1", "[]")
    assert "eventstore.E001" in jetstream
    assert "pip install 'django-eventstore[jetstream]'" in jetstream
