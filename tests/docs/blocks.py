"""The code blocks of a page, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>```+)(?P<info>[^`]*)$")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    `caption` is that of a `{code-block}`: the path of the file that it shows. `line` is where it
    stands on its page.
    """

    language: str
    text: str
    line: int
    page: Path
    caption: str = ""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


@dataclass
class Command:
    """A line to type, and the output that the page shows for it (`...` stands for anything)."""

    line: str
    output: list[str] = field(default_factory=list)


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of `page`."""
    found = []
    lines = iter(enumerate(page.read_text().splitlines(), start=1))
    for number, line in lines:
        opened = _FENCE.match(line)
        if opened is None:
            continue
        close = f"{opened['indent']}{opened['ticks']}"
        body = []
        for _, inside in lines:
            if inside.rstrip() == close:
                break
            body.append(inside.removeprefix(opened["indent"]))
        info = opened["info"].strip()
        caption = ""
        if info.startswith("{code-block}"):
            info = info.removeprefix("{code-block}").strip()
            while body and (option := re.match(r":(\w+): (.*)", body[0])):
                body.pop(0)
                if option[1] == "caption":
                    caption = option[2]
            while body and not body[0]:
                body.pop(0)
        found.append(Block(info, "\n".join(body) + "\n", number, page, caption))
    return found


def commands(block: Block) -> list[Command]:
    """Return the commands of a `console` block."""
    found: list[Command] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:]))
        else:
            found[-1].output.append(line)
    return found


def output_pattern(expected: list[str]) -> re.Pattern[str]:
    """Return a pattern for output of which `...` stands for anything, whole lines included."""
    parts = []
    for line in expected:
        if line == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            kept = (re.escape(part) for part in re.split(r"\.\.\.(?!\s*OK)", line.rstrip()))
            parts.append(".*".join(kept) + r"\s*\n")
    return re.compile(r"\A" + "".join(parts) + r"\s*\Z")
