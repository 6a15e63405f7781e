"""Names on the server: streams, and the subjects of appends and snapshots.

``<stream>.events.<actor>.<n>`` is the subject of an actor's n-th append, n = 1, 2, 3 …;
``<stream>_snapshots`` the stream and ``<stream>.snapshots.<actor>.<version>`` the subject of a
snapshot. The actor id is percent-encoded, so that any id is one token of a subject.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from ...events.namespaces import sanitise_namespace
from ...events.validation import MAX_TEXT_LENGTH, check_text
from ...exceptions import InvalidEventError

EVENTS: Final = "events"
SNAPSHOTS: Final = "snapshots"


def stream_name(namespace: str, name: str) -> str:
    """Return the name of the events' stream of ``namespace``."""
    return f"{sanitise_namespace(namespace)}_{name}" if namespace else name


def encode_name(name: str) -> str:
    """Return an id in percent-encoding, as one subject token: ASCII letters, digits, ``_-~``."""
    if name.isascii() and name.replace("-", "").isalnum():
        return name
    return quote(name, safe="").replace(".", "%2E")


@lru_cache(maxsize=10_000)
def decode_actor(token: bytes) -> str | None:
    """Return the actor id that ``token`` is the encoding of, or None if it is that of none."""
    if token.replace(b"-", b"").isalnum() and len(token) <= MAX_TEXT_LENGTH:
        return token.decode()
    try:
        actor_id = check_text("actor_id", unquote_to_bytes(token).decode())
    except (UnicodeDecodeError, InvalidEventError):
        return None
    return actor_id if encode_name(actor_id).encode() == token else None


def decode_number(token: bytes) -> int | None:
    """Return the number of an append (or a version) from a subject, or None if it is none."""
    if not token.isdigit() or token.startswith(b"0") or len(token) > 19:
        return None
    return int(token)
