"""Actors side by side."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_eventstore import Event
from tests.admin.conftest import START, fill

pytestmark = pytest.mark.django_db


def test_actors_side_by_side(admin, store, pages):
    fill(store)
    context = admin.get(pages("compare") + "?actor=order-1&actor=payment-1&actor=nobody").context
    assert context["unknown"] == ["nobody"]
    shown = [
        [cell.event_type if cell else None for cell in row.cells[:2]] for row in context["rows"]
    ]
    assert shown == [
        ["OrderReopened", None],
        [None, "PaymentBooked"],
        ["OrderPaid", None],
        ["LineAdded", None],
        ["OrderPlaced", None],
    ]


def test_a_comparison_goes_on_to_the_first_events(admin, store, pages):
    """Also where very many have one timestamp, or versions are not in the order of time."""
    together = [Event("a", f"A{number}", timestamp=START) for number in range(100)]
    apart = [
        Event("b", f"B{number}", timestamp=START + timedelta(minutes=(number * 7) % 90 - 45))
        for number in range(90)
    ]
    store.save_events([*together, *apart, Event("c", "C", timestamp=START)])
    found = []
    address = pages("compare") + "?actor=a&actor=b&actor=c"
    for _ in range(12):
        context = admin.get(address).context
        assert context["unknown"] == []
        found += [row.event.id for row in context["rows"]]
        address = context["older_url"]
        if address is None:
            break
    assert len(found) == len(set(found)) == 191
    assert admin.get(pages("compare") + "?actor=a&actor=b&upto=3").status_code == 404


def test_a_comparison_tells_of_malformed_events(admin, malformed, pages):
    page = admin.get(pages("compare") + "?actor=order-1&actor=order-2").content.decode()
    assert "1 malformed event of <bdi>order-1</bdi> is not among these." in page
