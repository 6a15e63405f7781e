"""Malformed events: found, looked at and skipped."""

from __future__ import annotations

import pytest

from django_eventstore import Event
from django_eventstore.models import SkippedEvent
from tests.admin.conftest import MALFORMED, client
from tests.support.memory import corrupted

pytestmark = pytest.mark.django_db


def test_malformed_events_are_grouped_by_cause(admin, store, pages):
    for number in range(3):
        event = Event("a", f"T{number}")
        corrupted[event.id] = MALFORMED
        store.save_event(event)
    [group] = admin.get(pages("malformed")).context["groups"]
    assert (len(group.errors), group.open) == (3, 3)
    corrupted.clear()


def test_malformed_events_are_all_found_however_little_time_a_page_has(
    admin, store, pages, settings
):
    settings.EVENT_STORE_ADMIN = {"time_limit": 1e-9}
    for number in range(5):
        event = Event("a", f"T{number}")
        if number in (0, 3):
            corrupted[event.id] = MALFORMED
        store.save_event(event)
    found = []
    address = pages("malformed")
    for _ in range(10):
        response = admin.get(address)
        found += [error.actor_id for group in response.context["groups"] for error in group.errors]
        address = response.context["next_url"]
        if address is None:
            break
        assert "Looked through 1 event, newest first" in response.content.decode()
        assert "Look further" in response.content.decode()
    # The last page looked through a part of the store, too.
    assert "Looked through 0 events, newest first, to the end." in response.content.decode()
    assert found == ["a", "a"]
    corrupted.clear()


def test_raw_content_is_shown_safely_and_sent_untouched(admin, malformed, pages):
    response = admin.get(pages("problem", malformed))
    page = response.content.decode()
    assert "<script>alert(1)" not in page
    assert "⟨00⟩" in page
    assert "00 1b ff fe" in page
    assert admin.get(pages("problem_raw", malformed)).content == MALFORMED


def test_raw_content_is_hidden_where_anything_is_redacted(admin, malformed, pages, settings):
    settings.EVENT_STORE_ADMIN = {"redact": {"*": ["secret"]}}
    assert "alert(1)" not in admin.get(pages("problem", malformed)).content.decode()
    assert admin.get(pages("problem_raw", malformed)).status_code == 404
    assert admin.get(pages("problem_raw", malformed) + "?reveal=1").content == MALFORMED


def test_an_event_that_can_be_read_again_leads_to_its_page(admin, malformed, pages):
    corrupted.clear()
    response = admin.get(pages("problem", malformed) + "?again=1", follow=True)
    assert "can be read with the current code" in response.content.decode()
    assert response.context["event"].position == malformed


def test_a_skipped_event_is_reported_as_skipped(admin, malformed, store, pages, order_fold):
    replayed = store.replay("order-1", order_fold, {})
    assert [error.position for error in replayed.errors] == [malformed]

    response = admin.post(pages("skip", malformed), {"reason": "The import of 2 March"})
    assert response.status_code == 302
    record = SkippedEvent.objects.get()
    assert (record.store, record.position, record.user) == ("default", malformed, "staff")

    replayed = store.replay("order-1", order_fold, {})
    assert replayed.errors == []
    assert [error.skipped for error in replayed.skipped] == ["The import of 2 March"]
    [error] = store.get_events_with_errors("order-1").errors
    assert error.skipped == "The import of 2 March"
    assert "The import of 2 March" in admin.get(pages("problem", malformed)).content.decode()
    # Skipped for this namespace alone, and once.
    admin.post(pages("skip", malformed), {"reason": "again"})
    assert SkippedEvent.objects.count() == 1
    # The event stays: the next one is saved behind it.
    assert store.save_event(Event("order-1", "OrderReopened")).version == 6


def test_a_skip_needs_a_reason_a_post_and_a_malformed_event(admin, malformed, pages):
    admin.post(pages("skip", malformed), {"reason": "  "})
    assert not SkippedEvent.objects.exists()
    assert admin.get(pages("skip", malformed)).status_code == 405
    assert admin.post(pages("skip", 1), {"reason": "x"}).status_code == 404


def test_a_reason_may_have_lines(admin, malformed, pages):
    """A browser lets 1,000 characters in, and counts a line break as one of them."""
    reason = "\n".join(["twelve chars"] * 76)
    admin.post(pages("skip", malformed), {"reason": reason.replace("\n", "\r\n")})
    assert SkippedEvent.objects.get().reason == reason


def test_the_records_of_skipped_events_are_listed_read_only(malformed, pages):
    SkippedEvent.objects.create(store="default", position=malformed, reason="why", user="mia")
    auditor = client("view_eventstore", "view_skippedevent")
    assert "why" in auditor.get("/admin/django_eventstore/skippedevent/").content.decode()
