"""Raw content, as text and in hex, made safe to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SHOWN_BYTES: Final = 4096
LINE: Final = 16

HexLine = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Content:
    """Raw content, made safe to look at.

    Attributes:
        text: it as text; control characters and what is no UTF-8 are shown as signs.
        lines: it in hex: the offset, the bytes as hex, and as text where printable.
        size: how many bytes it has.
        cut: whether only the first bytes are shown.
    """

    text: str
    lines: list[HexLine]
    size: int
    cut: bool

    @classmethod
    def of(cls, content: bytes | str) -> Content:
        """Return ``content``, the first SHOWN_BYTES of it."""
        held = as_bytes(content)
        shown = held[:SHOWN_BYTES]
        text = shown.decode("utf-8", errors="replace")
        return cls(
            "".join(map(_visible, text)), list(_hex(shown)), len(held), len(held) > SHOWN_BYTES
        )


def as_bytes(content: bytes | str) -> bytes:
    """Return raw content, which a store gives as bytes or text, as bytes."""
    return content.encode("utf-8", "surrogatepass") if isinstance(content, str) else bytes(content)


def readable(text: str) -> str:
    """Return ``text``; one without anything to be seen, as an id may be, as signs."""
    if not text or any(character.isprintable() and not character.isspace() for character in text):
        return text
    return "".join(f"⟨{ord(character):02X}⟩" for character in text)


def _visible(character: str) -> str:
    """Return a sign for what cannot be seen, or would turn the text round."""
    if character in "\n\t":
        return character
    return character if character.isprintable() else f"⟨{ord(character):02X}⟩"


def _hex(content: bytes) -> Iterator[HexLine]:
    for start in range(0, len(content), LINE):
        piece = content[start : start + LINE]
        yield (
            f"{start:06x}",
            piece.hex(" ").ljust(LINE * 3 - 1),
            "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in piece),
        )
