"""The cursors of a listing of actors: where the next page begins."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

import orjson

from ..events.validation import check_integer, check_text
from ..exceptions import InvalidEventError


def make_cursor(order_by: str, value: Any, actor_id: str) -> str:
    """Return the cursor of a listing's next page: behind ``actor_id``, which sorts by ``value``."""
    return base64.urlsafe_b64encode(orjson.dumps([order_by, value, actor_id])).decode()


def read_cursor(cursor: str, order_by: str) -> tuple[Any, str]:
    """Return (value, actor_id) of a cursor that make_cursor() made for the same ``order_by``.

    A value that was a datetime comes back as one.

    Raises:
        InvalidEventError: it is no cursor, or one of a listing in another order.
    """
    try:
        made_for, value, actor_id = orjson.loads(base64.urlsafe_b64decode(cursor.encode()))
        if made_for != order_by:
            raise ValueError(f"made for the order {made_for!r}")
        check_text("actor_id", actor_id)
        if order_by.endswith("_timestamp"):
            value = datetime.fromisoformat(value)
        elif order_by.endswith("actor_id"):
            check_text("actor_id", value)
        else:
            check_integer("value", value, minimum=0)
    except (ValueError, TypeError) as error:
        raise InvalidEventError(
            "cursor", f"{cursor[:60]!r} is not the next_cursor of a page in the order {order_by!r}."
        ) from error
    return value, actor_id
