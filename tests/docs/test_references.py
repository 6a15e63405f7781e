"""What pages, docstrings and comments name of this project is there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.docs.references import MODULES, PAGES, ROOT, references


def missing(paths: Iterable[Path]) -> str:
    named = [reference for path in paths for reference in references(path)]
    return "\n".join(str(each) for each in named if not each.found)


@pytest.mark.parametrize("room", sorted({path.relative_to(ROOT).parts[0] for path in MODULES}))
def test_what_docstrings_and_comments_name_is_there(room):
    found = missing(path for path in MODULES if path.is_relative_to(ROOT / room))

    assert not found, f"Not there:\n{found}"


def test_what_the_pages_name_is_there():
    found = missing(PAGES)

    assert not found, f"Not there:\n{found}"
