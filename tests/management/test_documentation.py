"""The page on commands names each command, and no option that there is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).parents[2]
# What Django has, and we only guard.
OVERRIDES = {"flush"}
COMMANDS = sorted(
    path.stem
    for path in (ROOT / "django_eventstore" / "management" / "commands").glob("[a-z]*.py")
    if path.stem not in OVERRIDES
)


def sections():
    """Return the page's sections by the command that they are about."""
    text = (ROOT / "docs" / "commands.md").read_text()
    return dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))


def parser(name):
    return load_command_class(get_commands()[name], name).create_parser("manage.py", name)


def test_each_command_has_a_section():
    assert set(sections()) - {"In common"} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_that_is_shown_exists(name):
    known = set(parser(name)._option_string_actions)
    elsewhere = {"--after"} if name == "replay_events" else set()

    lines = [
        line
        for line in sections()[name].splitlines()
        if not line.startswith("python") or f" {name} " in f"{line} "
    ]
    shown = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", "\n".join(lines)))

    assert shown <= known | elsewhere


@pytest.mark.parametrize("name", COMMANDS)
def test_help_needs_no_other_page(name):
    text = parser(name).format_help()

    assert name == "run_nats" or "exit status: 0" in text
    assert f"manage.py {name}" in text
    assert max(len(line) for line in text.splitlines()) <= 100
