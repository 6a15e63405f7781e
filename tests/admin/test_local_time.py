"""Times, on every page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from django_eventstore import Event

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_times_at_the_ends_of_the_calendar_spoil_no_page(text, store, pages, settings, zone):
    """Programs like them for "always" and "never"; in another zone they do not exist."""
    settings.TIME_ZONE = zone
    ends = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    saved = store.save_events([Event("a", "T", {"n": at.year}, timestamp=at) for at in ends])
    for address in [
        pages("stores"),
        pages("store"),
        pages("actors"),
        pages("actor", "a"),
        pages("state", "a"),
        pages("state", "a") + "?version=1",
        pages("blame", "a"),
        pages("field", "a") + "?path=n",
        *(pages("event", event.position) for event in saved),
        pages("compare") + "?actor=a&actor=b",
        pages("search") + "?type=T",
    ]:
        text(address)
    assert "0001-01-01" in text(pages("actor", "a"))
    assert "9999-12-31" in text(pages("actor", "a"))
