"""The page of an event."""

from __future__ import annotations

import pytest

from django_eventstore import Event
from tests.admin.conftest import fill

pytestmark = pytest.mark.django_db


def test_an_event_its_neighbours_and_its_relations(admin, store, pages):
    saved = fill(store)
    context = admin.get(pages("event", saved["order-1 3"].position)).context
    assert (context["previous"].version, context["next"].version) == (2, 4)
    assert context["related"].cause.event_type == "OrderPlaced"
    assert [effect.event_type for effect in context["related"].effects] == [
        "PaymentBooked",
        "OrderReopened",
    ]
    steps = [(step.kind, step.event and step.event.event_type) for step in context["related"].steps]
    assert steps == [
        ("item", "OrderPlaced"),
        ("then", "OrderPaid"),
        ("open", None),
        ("item", "PaymentBooked"),
        ("end", None),
        ("item", "OrderReopened"),
        ("end", None),
        ("close", None),
        ("end", None),
    ]


def test_names_without_anything_to_be_seen_are_shown_as_signs(text, store, pages):
    event = store.save_event(Event("\u200b", " ", {}, metadata={"user_id": "\u3000"}))
    store.save_event(Event("b", "T"))
    for address in [
        pages("actors"),
        pages("actor", "\u200b"),
        pages("event", event.position),
        pages("search") + "?since=2000-01-01",
        pages("compare") + "?actor=%E2%80%8B&actor=b",
    ]:
        assert "⟨200B⟩" in text(address), address
    assert "<bdi>⟨20⟩</bdi>" in text(pages("actor", "\u200b"))
    assert "<bdi>⟨3000⟩</bdi></a>" in text(pages("event", event.position))


def test_a_trace_is_linked_by_the_configured_address(text, store, pages, settings):
    saved = fill(store)
    settings.EVENT_STORE_ADMIN = {"trace_url": "https://traces.example/{trace_id}"}
    page = text(pages("event", saved["order-1 1"].position))
    assert "https://traces.example/4bf92f3577b34da6a3ce929d0e0e4736" in page
    event = Event("x", "T", metadata={"trace_id": '"><script>/../'})
    strange = text(pages("event", store.save_event(event).position))
    assert "traces.example" not in strange


def test_a_large_event_is_shown_in_part_and_whole_as_a_file(admin, store, pages):
    saved = fill(store)
    position = saved["large-1 1"].position
    assert len(admin.get(pages("event", position)).content) < 50_000
    assert "x" * 900_000 in admin.get(pages("event_raw", position)).content.decode()


def test_deep_and_wide_data_is_shown(text, store, pages):
    deep: object = 1
    for _ in range(190):
        deep = [deep]
    event = store.save_event(Event("a", "T", {"deep": deep, "wide": list(range(5000))}))
    page = text(pages("event", event.position))
    assert "more values" in page
    assert text(pages("state", "a"))
