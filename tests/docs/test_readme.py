"""Every Python block of the README runs, in order, as one program."""

from __future__ import annotations

from pathlib import Path

import pytest

from django_eventstore.events.upcasting import unregister_upcaster
from django_eventstore.folds import unregister_fold
from django_eventstore.projections import registry
from tests.docs.blocks import blocks

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


@pytest.fixture
def forget():
    """Take back what the README registers."""
    known = set(registry._projections)
    yield
    unregister_fold("order-")
    unregister_upcaster("OrderPlaced", 1)
    for name in registry._projections.keys() - known:
        del registry._projections[name]


@pytest.mark.django_db
def test_every_block_runs(forget, capsys):
    # A settings module, where the first blocks stand.
    names = {"INSTALLED_APPS": [], "MIDDLEWARE": [], "DATABASES": {"default": {}}}

    for block in blocks(README):
        if block.language == "python":
            exec(compile(block.text, str(block), "exec"), names)  # each may use those before it

    assert capsys.readouterr().out == "1 1\n1 OrderPlaced {'cents': 1250}\n"


def test_what_it_links_to_is_there():
    text = README.read_text()
    links = [part.partition(")")[0] for part in text.split("](")[1:]]

    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]

    assert links
    assert missing == []


def test_the_commands_it_shows_exist():
    from django.core.management import get_commands

    shown = {
        line.split()[2]
        for block in blocks(README)
        if block.language == "sh"
        for line in block.text.splitlines()
        if line.startswith("python manage.py ")
    }

    assert shown
    assert shown <= get_commands().keys()
