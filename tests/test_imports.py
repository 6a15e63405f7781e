"""What an application may import while Django starts: in settings, and in an app's modules."""

from __future__ import annotations

import subprocess
import sys

import pytest

EARLY = (
    "django_eventstore",
    "django_eventstore.conf",
    "django_eventstore.backends.base",
    "django_eventstore.backends.database",
    "django_eventstore.backends.jetstream",
    "django_eventstore.backends.memory",
    "django_eventstore.exceptions",
    "django_eventstore.folds",
    "django_eventstore.middleware",
    "django_eventstore.sharding",
    "django_eventstore.signals",
)


@pytest.mark.parametrize("module", EARLY)
def test_a_public_module_can_be_imported_before_the_apps_are_loaded(module):
    code = f"from django.conf import settings; settings.configure(); import {module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
