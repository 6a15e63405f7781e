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
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "django_eventstore"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip("not in a git work tree")
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


def test_without_its_driver_jetstream_says_what_to_install():
    program = """
import sys
sys.modules["nats"] = None
import django
from django.conf import settings
from django.core.management import call_command
backend = "django_eventstore.backends.jetstream.JetStreamEventStore"
settings.configure(
    INSTALLED_APPS=["django_eventstore"], EVENT_STORES={"default": {"BACKEND": backend}}
)
django.setup()
call_command("check")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert b"python -m pip install 'django-eventstore[jetstream]'" in done.stderr
    assert b"(eventstore.E001)" in done.stderr
