"""Cursors of lists."""

from __future__ import annotations

import pytest

from django_eventstore import InvalidEventError
from django_eventstore.backends.values import make_cursor, read_cursor


@pytest.mark.parametrize(
    "cursor",
    [
        make_cursor("latest_version", "text", "order-1"),
        make_cursor("latest_version", None, "order-1"),
        make_cursor("latest_version", 1, ""),
        make_cursor("latest_version", 1, "a\x00"),
        make_cursor("actor_id", "order-1", "order-1"),
    ],
)
def test_a_cursor_that_was_tampered_with(cursor):
    with pytest.raises(InvalidEventError) as caught:
        read_cursor(cursor, "latest_version")
    assert caught.value.field == "cursor"
