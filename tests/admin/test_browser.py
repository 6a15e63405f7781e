"""A person clicks through the pages in a real Chromium, on a database and on JetStream."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from django_eventstore import Event
from tests.admin.conftest import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_from_the_stores_to_a_cause(filled, tab, start):
    tab.goto(start)
    tab.get_by_role("link", name="default").click()
    expect(tab.get_by_text("Where it keeps its data")).to_be_visible()
    tab.get_by_role("link", name="Actors", exact=True).click()
    tab.get_by_role("searchbox", name="Part of the actor id").fill("payment")
    tab.keyboard.press("Enter")
    expect(tab.locator("#content-main tbody tr")).to_have_count(1)
    tab.get_by_role("link", name="payment-1").click()
    tab.get_by_role("link", name="PaymentBooked").click()
    expect(tab.locator(".es-json")).to_contain_text("12.5")
    tab.locator("#es-cause").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("OrderPaid")
    # The whole correlation, across actors: the payment is an effect of this one.
    tree = tab.get_by_role("region", name="What belongs together")
    expect(tree.get_by_role("link", name="PaymentBooked")).to_be_visible()
    expect(tree.get_by_role("link", name="OrderPlaced")).to_be_visible()
    tab.get_by_role("link", name="2 LineAdded").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("LineAdded")


def test_the_state_at_each_version(filled, tab, start, pages):
    tab.goto(start.removesuffix(pages("stores")) + pages("state", "order-1"))
    status = tab.locator(".es-json li", has_text="status").first
    expect(status).to_contain_text("placed")
    expect(tab.get_by_text("agrees with the full replay")).to_be_visible()

    tab.get_by_role("slider").fill("3")
    expect(tab.get_by_role("heading", name="State at version 3")).to_be_visible()
    expect(status).to_contain_text("paid")
    expect(tab.locator(".es-diff tr", has_text="card.number")).to_contain_text("4242-4242")
    assert "version=3" in tab.url

    tab.get_by_role("link", name="Previous version").click()
    expect(tab.get_by_role("heading", name="State at version 2")).to_be_visible()
    expect(status).to_contain_text("placed")
    tab.get_by_label("As of").fill("2026-03-01T09:01:00")
    tab.get_by_role("button", name="Show").nth(1).click()
    expect(tab.get_by_role("heading", name="State at version 1")).to_be_visible()

    tab.get_by_role("link", name="Blame").click()
    row = tab.locator("#content-main tbody tr", has_text="status")
    expect(row.get_by_role("link", name="OrderReopened")).to_be_visible()
    expect(row.get_by_role("link", name="OrderPlaced")).to_be_visible()
    row.get_by_role("link", name="status").click()
    expect(tab.locator("#content-main tbody tr")).to_have_count(3)


def test_filter_page_and_keys(filled, tab, start, pages, settings):
    settings.EVENT_STORE_ADMIN = {"page_size": 2}
    tab.goto(start.removesuffix(pages("stores")) + pages("actor", "order-1"))
    rows = tab.locator("tr[data-es-row]")
    expect(rows.locator("th")).to_have_text(["OrderReopened", "OrderPaid"])
    tab.get_by_role("link", name="Older").click()
    expect(rows.locator("th")).to_have_text(["LineAdded", "OrderPlaced"])
    tab.get_by_role("link", name="Newer").click()
    expect(rows.locator("th")).to_have_text(["OrderReopened", "OrderPaid"])
    tab.get_by_label("Data path").fill("sku=A-1")
    tab.get_by_role("button", name="Filter").click()
    expect(rows.locator("th")).to_have_text(["LineAdded"])
    tab.go_back()
    expect(rows).to_have_count(2)

    tab.keyboard.press("j")
    tab.keyboard.press("j")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", level=1)).to_have_text("OrderPaid")
    tab.keyboard.press("Control+k")
    box = tab.get_by_role("combobox")
    box.fill("order-2")
    expect(tab.get_by_role("option", selected=True)).to_contain_text("order-2")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", level=1)).to_have_text("order-2")


def test_keys_alone_suffice(filled, tab, start, pages):
    """The quick-open, the rows, the state's slider and the copy buttons, without a pointer."""
    base = start.removesuffix(pages("stores"))
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.goto(base + pages("actors"))
    tab.keyboard.press("/")
    expect(tab.get_by_role("searchbox", name="Part of the actor id")).to_be_focused()
    tab.keyboard.type("order-1")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/actors/?q=order-1")
    tab.keyboard.press("j")
    tab.keyboard.press("Enter")
    tab.get_by_role("link", name="State", exact=True).press("Enter")
    tab.wait_for_url("**/state/")
    tab.get_by_role("slider").press("ArrowLeft")
    expect(tab.get_by_role("heading", name="State at version 3")).to_be_visible()
    expect(tab.get_by_role("slider")).to_be_focused()
    tab.get_by_role("slider").press("ArrowLeft")
    expect(tab.get_by_role("heading", name="State at version 2")).to_be_visible()
    # A screen reader announces what comes into a region that was there before.
    expect(tab.locator("#es-live")).to_have_css("display", "block")
    tab.get_by_role("button", name="Copy JSON").press("Enter")
    expect(tab.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert json.loads(copied)["lines"] == [{"sku": "A-1", "quantity": 2}]

    tab.get_by_role("link", name="LineAdded").first.press("Enter")
    tab.wait_for_url("**/events/*/")
    tab.get_by_role("button", name="Copy id").press("Enter")
    expect(tab.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    assert tab.evaluate("navigator.clipboard.readText()") == filled.saved["order-1 2"].id
    tab.get_by_text("As a test", exact=True).press("Enter")
    tab.get_by_role("button", name="Copy as test").press("Enter")
    expect(tab.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    code = tab.evaluate("navigator.clipboard.readText()")
    assert "def test_line_added():" in code
    compile(code, "copied", "exec")


def test_the_quick_open_works_without_a_store(filled, tab, start):
    tab.goto(start)
    tab.keyboard.press("Control+k")
    tab.get_by_role("combobox").fill("payment")
    expect(tab.get_by_role("option", selected=True)).to_contain_text("payment-1")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", level=1)).to_have_text("payment-1")


@pytest.mark.parametrize("filled", ["database"], indirect=True)
def test_enter_in_the_quick_open_waits_for_what_was_typed(filled, tab, start):
    """Not the first suggestion for the empty box, which is what is shown while typing."""
    tab.goto(start)
    held = []

    def hold(route):
        held.append(route)

    tab.route("**/jump/?q=order-2", hold)
    tab.keyboard.press("Control+k")
    expect(tab.get_by_role("option", selected=True)).to_contain_text("Actors")
    with tab.expect_request("**/jump/?q=order-2"):
        tab.keyboard.type("order-2")
        tab.keyboard.press("Enter")
    expect(tab.get_by_role("listbox")).to_have_attribute("aria-busy", "true")
    while not held:
        tab.wait_for_timeout(10)
    held.pop().continue_()
    expect(tab.get_by_role("heading", level=1)).to_have_text("order-2")
    tab.go_back()
    expect(tab.get_by_role("dialog")).to_be_hidden()

    # What leads nowhere is looked for in the list of actors.
    tab.route("**/jump/**", lambda route: route.fulfill(json={"suggestions": []}))
    tab.keyboard.press("Control+k")
    tab.keyboard.type("order-2")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/actors/?q=order-2")


@pytest.mark.parametrize("filled", ["database"], indirect=True)
def test_versions_are_compared_with_the_one_that_the_slider_shows(filled, tab, start, pages):
    tab.goto(start.removesuffix(pages("stores")) + pages("state", "order-1"))
    tab.get_by_role("slider").fill("2")
    expect(tab.get_by_role("heading", name="State at version 2")).to_be_visible()
    tab.get_by_label("Compare with version").fill("1")
    tab.get_by_role("button", name="Compare").click()
    expect(tab.get_by_role("heading", name="What differs from version 1")).to_be_visible()
    expect(tab.get_by_role("heading", name="State at version 2")).to_be_visible()
    tab.get_by_role("slider").fill("3")
    expect(tab.get_by_role("heading", name="State at version 3")).to_be_visible()
    tab.get_by_role("link", name="With the previous version").click()
    expect(
        tab.get_by_role("heading", name="What changed from the previous version")
    ).to_be_visible()
    expect(tab.get_by_role("heading", name="State at version 3")).to_be_visible()


@pytest.mark.parametrize("filled", ["database"], indirect=True)
def test_chosen_actors_are_compared_and_exported(filled, tab, start, pages):
    """Also those whose ids are so long that no web server takes them all in one address."""
    actor_ids = [f"long-{number}-{'☂' * 240}" for number in range(40)]
    filled.save_events([Event(actor_id, "T") for actor_id in actor_ids])
    tab.goto(start.removesuffix(pages("stores")) + pages("actors") + "?q=long-")
    for box in tab.get_by_role("checkbox").all():
        box.check()
    with tab.expect_download() as started:
        tab.get_by_role("button", name="Export chosen").click()
    exported = started.value.path().read_text().splitlines()
    assert {json.loads(line)["actor_id"] for line in exported} == set(actor_ids)

    tab.get_by_role("button", name="Compare chosen").click()
    expect(tab.get_by_text("Name two to six actors.")).to_be_visible()
    tab.go_back()
    tab.goto(start.removesuffix(pages("stores")) + pages("actors") + "?q=order-")
    for box in tab.get_by_role("checkbox").all():
        box.check()
    tab.get_by_role("button", name="Compare chosen").click()
    tab.wait_for_url("**/compare/?actor=order-1&actor=order-2")
    expect(tab.get_by_role("columnheader", name="order-1")).to_be_visible()


def test_hostile_content_is_shown_and_nothing_more(filled, tab, start, pages):
    base = start.removesuffix(pages("stores"))
    tab.goto(base + pages("actors"))
    tab.get_by_role("link", name="<script>").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    tab.get_by_role("link", name="<b>Type</b>").click()
    expect(tab.locator(".es-json").first).to_contain_text("<script>alert(2)</script>")
    tab.get_by_role("link", name="State at version 1").click()
    expect(tab.locator(".es-json").first).to_contain_text("<script>alert(2)</script>")

    tab.goto(base + pages("actor", "large-1"))
    tab.get_by_role("link", name="Large").click()
    expect(tab.locator(".es-json")).to_contain_text("of 900,000 characters")

    tab.goto(base + pages("malformed"))
    tab.locator("#content-main tbody a[data-es-open]").click()
    expect(tab.locator("#es-text")).to_contain_text("<script>alert(1)</script>")
    expect(tab.locator("#es-text")).to_contain_text("⟨00⟩⟨1B⟩")
    expect(tab.locator("#es-hex")).to_contain_text("00 1b")
    tab.get_by_role("link", name="Try again").click()
    expect(tab.get_by_text("still malformed")).to_be_visible()
    tab.get_by_label("Reason").fill("A test of the <b>import</b>")
    tab.get_by_role("button", name="Mark as skipped").click()
    expect(tab.get_by_text("A test of the <b>import</b>")).to_be_visible()
