"""The load test itself, in brief: see `python -m tests.load` for the real one."""

from __future__ import annotations

import pytest

from tests.load.__main__ import put_under_load


@pytest.mark.slow
def test_fifty_threads_on_sqlite():
    assert put_under_load("sqlite", 3.0, 0.05) == []
