"""A missing part is told: as a skip, or as a failure where everything must be there."""

from __future__ import annotations

import pytest

from tests import conftest
from tests.servers import parts


@pytest.fixture
def bare_machine(monkeypatch):
    """No part is installed."""
    monkeypatch.setattr(parts, "find", lambda name: None)


@pytest.mark.usefixtures("bare_machine")
@pytest.mark.parametrize("name", parts.PARTS)
def test_a_missing_part_skips_the_test_and_says_how_to_get_it(name, monkeypatch):
    monkeypatch.setattr(conftest, "REQUIRE_ALL", False)
    with pytest.raises(pytest.skip.Exception, match=r"install") as skipped:
        conftest.require(name)
    assert conftest.MISSING in str(skipped.value)


@pytest.mark.usefixtures("bare_machine")
def test_a_missing_part_fails_the_test_where_all_are_required(monkeypatch):
    monkeypatch.setattr(conftest, "REQUIRE_ALL", True)
    with pytest.raises(pytest.fail.Exception, match="mariadb-server"):
        conftest.require("mariadb")
