"""The picture of the rooms shows what `make lint` checks."""

from __future__ import annotations

import tomllib
from xml.etree import ElementTree

from tests.docs.blocks import DOCS
from tests.docs.references import PACKAGE, ROOT

SVG = "{http://www.w3.org/2000/svg}"
# Beside the rooms: what holds no code of its own, or is made by Django.
NO_ROOMS = {"__init__.py", "__pycache__", "locale", "migrations", "py.typed", "static", "templates"}


def drawn_layers():
    picture = ElementTree.parse(DOCS / "architecture.svg")
    return [
        {text.text for text in layer.iter(f"{SVG}text") if text.get("class") == "room"}
        for layer in picture.iter(f"{SVG}g")
    ]


def checked_layers():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return [{path_of(name) for name in layer.split(" : ")} for layer in layers]


def path_of(name):
    path = name.replace(".", "/")
    return f"{path}/" if (PACKAGE / path).is_dir() else f"{path}.py"


def test_the_picture_shows_the_layers_that_are_checked():
    assert drawn_layers() == checked_layers()


def test_the_picture_shows_every_room():
    drawn = {name.partition("/")[0] for layer in drawn_layers() for name in layer}

    assert drawn == {path.name for path in PACKAGE.iterdir()} - NO_ROOMS
