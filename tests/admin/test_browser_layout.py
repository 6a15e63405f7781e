"""The pages have room for what they show, in a real Chromium, and everyone can use them."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from django_eventstore import Event
from django_eventstore.workers.consumers import open_consumer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("filled", ["database"], indirect=True)
def test_what_is_long_makes_room_for_what_is_looked_for(filled, tab, start, pages):
    """On a phone filters are folded away; the tree of causes is scrolled to the event."""
    base = start.removesuffix(pages("stores"))
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(base + pages("actor", "order-1"))
    expect(tab.get_by_label("Data path")).to_be_hidden()
    tab.keyboard.press("/")
    expect(tab.get_by_label("Type")).to_be_focused()
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.reload()
    expect(tab.get_by_label("Data path")).to_be_visible()

    saved = filled.save_events(chain_of_events(40))
    tab.goto(base + pages("event", saved[-1].position))
    box = tab.get_by_role("region", name="What belongs together")
    box.scroll_into_view_if_needed()
    expect(box.get_by_text("Link").first).not_to_be_in_viewport()
    expect(box.locator(".es-here")).to_be_in_viewport()


@pytest.mark.parametrize("filled", ["database"], indirect=True)
def test_long_names_make_no_page_wider_than_the_window(filled, tab, start, pages):
    actor_id = "ünï" * 80
    event = filled.save_event(Event(actor_id, "LongTypeName" * 15, {"key" * 90: "value" * 90}))
    base = start.removesuffix(pages("stores"))
    for width in (1280, 390):
        tab.set_viewport_size({"width": width, "height": 844})
        for address in [
            pages("actor", actor_id),
            pages("state", actor_id),
            pages("blame", actor_id),
            pages("event", event.position),
        ]:
            tab.goto(base + address)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, address
        tab.goto(base + pages("actors"))
        region = tab.get_by_role("region", name="Actors")
        assert region.evaluate("box => box.scrollWidth <= box.clientWidth")


@pytest.mark.parametrize("filled", ["database"], indirect=True)
def test_a_phone_shows_what_a_field_was_and_became(filled, tab, start, pages):
    tab.set_viewport_size({"width": 390, "height": 844})
    base = start.removesuffix(pages("stores"))
    tab.goto(base + pages("field", "order-1") + "?path=status")
    region = tab.get_by_role("region", name="Changes")
    assert region.evaluate("box => box.scrollWidth <= box.clientWidth")
    expect(region.get_by_role("row").nth(1)).to_contain_text('"paid""placed"')


@pytest.mark.parametrize("filled", ["database"], indirect=True)
def test_a_phone_shows_the_lag_and_the_last_error_of_a_projection(
    filled, tab, start, pages, no_projections
):
    consumer = open_consumer("forward:default>somewhere:else", filled, shards=1, using="default")
    consumer.parked.create(position=2, shard=0, actor_id="a", error="ValueError: it broke")
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(f"{start}consumers/")
    region = tab.get_by_role("region", name="Projections and forwarding")
    expect(region).to_contain_text("ValueError: it broke")
    assert region.evaluate("box => box.scrollWidth <= box.clientWidth")


def chain_of_events(length: int) -> list[Event]:
    """Return events of which each causes the next."""
    events = [Event("chain-1", "Link")]
    events[0] = events[0].with_metadata(correlation_id=events[0].id)
    while len(events) < length:
        events.append(Event("chain-1", "Link").caused_by(events[-1]))
    return events


@pytest.mark.parametrize("filled", ["database"], indirect=True)
def test_charts_times_and_json_read_from_the_left_in_every_language(filled, tab, start, pages):
    base = start.removesuffix(pages("stores"))
    tab.set_extra_http_headers({"Accept-Language": "ar"})
    tab.goto(base + pages("actor", "order-1"))
    assert tab.evaluate("getComputedStyle(document.body).direction") == "rtl"
    # The bars of a chart begin at the left, and so does its axis.
    ends = tab.locator(".es-axis time")
    assert ends.first.bounding_box()["x"] < ends.last.bounding_box()["x"]
    parts = tab.locator(".es-timeline time").first.locator("span")
    assert parts.first.bounding_box()["x"] < parts.last.bounding_box()["x"]
    tab.goto(base + pages("state", "order-1"))
    first = tab.locator(".es-json > li").first
    key, text = first.locator(".es-key"), first.locator(".es-text")
    assert key.bounding_box()["x"] < text.bounding_box()["x"]


@pytest.mark.parametrize(
    ("filled", "scheme"),
    [("database", "light"), ("database", "dark"), ("jetstream", "light")],
    indirect=["filled"],
)
def test_everyone_can_use_the_pages(filled, tab, start, pages, scheme, no_projections):
    """axe finds nothing against WCAG A and AA, in either theme and on a phone's width."""
    tab.emulate_media(color_scheme=scheme)
    base = start.removesuffix(pages("stores"))
    paid = filled.saved["order-1 3"].position
    position = next(
        item.position for item in filled.read_all_with_errors() if not isinstance(item, Event)
    )
    # What looks different for a store that can do less.
    addresses = [pages("store"), pages("actors"), pages("event", paid)]
    if filled.backend.supports_lookup:
        addresses += [
            pages("stores"),
            pages("actor", "order-1"),
            pages("actor", "order-2"),
            pages("actor", "order-1") + "?type=Nothing",
            pages("actor", "order-1") + "?type=OrderPaid&type=OrderPlaced&since=2026-03-01",
            pages("state", "order-1") + "?version=3",
            pages("state", "order-1") + "?version=3&against=1",
            pages("blame", "order-1"),
            pages("field", "order-1") + "?path=status",
            pages("actors") + "?malformed=1",
            pages("compare"),
            pages("compare") + "?actor=order-1&actor=payment-1",
            pages("compare")
            + "?actor=order-1&actor=payment-1&actor=order-2&actor=large-1&actor=nobody",
            pages("search"),
            pages("search") + "?user=mia",
            pages("malformed"),
            pages("problem", position),
            pages("stores") + "consumers/",
        ]
    if scheme == "dark":
        tab.set_viewport_size({"width": 390, "height": 844})
    found = {}
    for address in addresses:
        tab.goto(base + address)
        assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address
        found[address] = violations(tab)
    tab.keyboard.press("Control+k")
    expect(tab.get_by_role("option").first).to_be_visible()
    found["quick-open"] = violations(tab)
    assert {address: seen for address, seen in found.items() if seen} == {}


def violations(tab: Page) -> list[tuple[str, list[str]]]:
    """Return what axe finds on the page: (rule, the first elements)."""
    results = Axe().run(tab, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    return [
        (violation["id"], [node["html"] for node in violation["nodes"]][:3])
        for violation in results.response["violations"]
    ]
