"""Namespaces: the names themselves, and names that a server can hold.

A namespace isolates everything: events, snapshots, cache and checkpoints. Namespaces are
compared code point by code point; the empty text is the default namespace.
"""

from __future__ import annotations

import re
from typing import Final

from ..exceptions import InvalidEventError
from .validation import check_text

MAX_NAMESPACE_BYTES: Final = 150
"""Longest namespace, in bytes of UTF-8: with a stream's name behind it, it fits the 255 bytes
that a NATS stream name, a directory of the server's, may have."""

_UNSAFE = re.compile(r"[^\w-]", re.ASCII)


def check_namespace(namespace: object) -> str:
    """Return ``namespace`` if it is one.

    Raises:
        InvalidEventError: it is no text, too long, holds control characters, or consists of
            nothing but separators and wildcards.
    """
    if namespace == "" and isinstance(namespace, str):
        return namespace
    text = check_text("namespace", namespace, limit=MAX_NAMESPACE_BYTES)
    size = len(text.encode())
    if size > MAX_NAMESPACE_BYTES:
        raise InvalidEventError(
            "namespace", f"takes {size} bytes as UTF-8; the limit is {MAX_NAMESPACE_BYTES}."
        )
    if not any(character.isalnum() for character in text):
        raise InvalidEventError(
            "namespace",
            f"{text!r} has no letter or digit in it; a namespace needs a name that is more than "
            f"separators and wildcards.",
        )
    return text


def sanitise_namespace(namespace: str) -> str:
    """Return ``namespace`` as a server can hold it: letters, digits, ``_`` and ``-`` of ASCII.

    Two namespaces may give one name; whoever uses it must keep them apart.
    """
    return _UNSAFE.sub("_", namespace)
