"""Fixtures for the lists of actors."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def namespace():
    return f"t{os.urandom(4).hex()}"
