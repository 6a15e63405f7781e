"""Masked values: hidden from everybody, shown to who may see them, and each look is logged."""

from __future__ import annotations

import logging

import pytest
from django.contrib.auth import get_user_model

from django_eventstore import Event
from django_eventstore.events.upcasting import register_upcaster, unregister_upcaster
from django_eventstore.folds import register_fold, unregister_fold
from django_eventstore.models import SkippedEvent
from tests.admin.conftest import client, fill
from tests.support.memory import corrupted

pytestmark = pytest.mark.django_db
REDACT = {
    "redact": {"OrderPaid": ["card.number"], "Order*": ["customer"]},
    "redact_state": {"order-": ["lines.*.sku"]},
}


def test_redacted_values_are_in_no_page(admin, store, pages, settings):
    saved = fill(store)
    settings.EVENT_STORE_ADMIN = REDACT
    paid = saved["order-1 3"].position
    for address in [
        pages("actor", "order-1"),
        pages("event", paid),
        pages("event", saved["order-1 1"].position),
        pages("event_raw", paid),
        pages("state", "order-1") + "?version=3",
        pages("state", "order-1") + "?version=3&against=1",
        pages("blame", "order-1") + "?version=3",
        pages("field", "order-1") + "?path=card.number",
        pages("compare") + "?actor=order-1&actor=order-2",
        pages("search") + "?user=mia",
    ]:
        body = admin.get(address).content.decode()
        assert "4242-4242" not in body, address
        assert "Thorvaldsen" not in body, address
    # "A-1" is redacted in states, not in the event's own data.
    assert "A-1" not in admin.get(pages("state", "order-1")).content.decode()


def test_what_goes_wrong_with_redacted_values_does_not_name_them(admin, store, pages, settings):
    event = Event("order-1", "Broken")
    corrupted[event.id] = b"secret"
    position = store.save_event(event).position
    # The fold names the unknown key in its error.
    store.save_event(Event("order-2", "OrderPaid", {"secret": 1}))
    settings.EVENT_STORE_ADMIN = REDACT
    exported = admin.get(pages("export") + "?actor=order-1")
    assert b"secret" not in b"".join(exported.streaming_content)
    for page in ("state", "blame", "field"):
        body = admin.get(pages(page, "order-2") + "?path=status").content.decode()
        assert "KeyError" in body
        assert "&#x27;card&#x27;" not in body
    admin.post(pages("skip", position), {"reason": "why"})
    corrupted.clear()
    record = f"/admin/django_eventstore/skippedevent/{SkippedEvent.objects.get().pk}/change/"
    get_user_model().objects.all().delete()
    auditor = client("view_eventstore", "view_skippedevent")
    body = auditor.get(record).content.decode()
    assert "why" in body
    assert "ValueError" not in body


def test_a_filter_tells_nothing_about_redacted_values(admin, store, pages, settings):
    fill(store)
    settings.EVENT_STORE_ADMIN = REDACT
    response = admin.get(pages("actor", "order-1") + "?path=card.number%3D4242-4242")
    assert "No event matches" in response.content.decode()


def test_seeing_redacted_values_takes_a_permission(store, pages, settings):
    saved = fill(store)
    settings.EVENT_STORE_ADMIN = REDACT
    address = pages("event", saved["order-1 3"].position) + "?reveal=1"
    assert client("view_eventstore", "view_payload").get(address).status_code == 403


def test_revealing_is_logged(admin, store, pages, settings, caplog):
    saved = fill(store)
    settings.EVENT_STORE_ADMIN = REDACT
    address = pages("event", saved["order-1 3"].position)
    with caplog.at_level(logging.INFO, "django_eventstore.audit"):
        assert "4242-4242" not in admin.get(address).content.decode()
        assert caplog.records == []
        assert "4242-4242" in admin.get(address + "?reveal=1").content.decode()
    assert {(record.user, record.store) for record in caplog.records} == {("staff", "default")}
    assert saved["order-1 3"].id in " ".join(record.getMessage() for record in caplog.records)
    caplog.clear()
    with caplog.at_level(logging.INFO, "django_eventstore.audit"):
        # This page makes several states of the actor, and is one view.
        admin.get(pages("state", "order-1") + "?version=3&against=1&reveal=1")
    assert [record.viewed for record in caplog.records] == ["state of actor 'order-1'"]


def test_a_masked_branch_tells_nothing_of_what_is_in_it(admin, store, pages, settings):
    fill(store)
    settings.EVENT_STORE_ADMIN = {"redact": {"OrderPaid": ["card"]}}
    rows = {row.where: row for row in admin.get(pages("blame", "order-1")).context["rows"]}
    assert rows.keys() == {"status", "customer", "lines[0].sku", "lines[0].quantity", "card"}
    assert rows["card"].value == "•••"
    assert rows["card"].last.event_type == "OrderPaid"
    [change] = admin.get(pages("field", "order-1") + "?path=card").context["changes"]
    assert (change.event.version, change.after) == (3, "•••")


def test_each_page_with_a_masked_value_offers_to_show_it(admin, store, pages, settings):
    fill(store)
    # In the order of versions: what the state before and the other one hold is shown as well.
    store.save_event(Event("a", "T", {"secret": 1}))
    store.save_event(Event("a", "U", {}))
    settings.EVENT_STORE_ADMIN = {"redact": {"T": ["secret"], "OrderPaid": ["card"]}}
    register_fold("a", lambda state, event: event.data, initial={})
    try:
        for address in [
            pages("state", "a") + "?version=2",
            pages("state", "a") + "?version=2&against=1",
            pages("blame", "order-1") + "?version=4",
            pages("field", "order-1") + "?path=card",
        ]:
            page = admin.get(address)
            offered = f"{address.partition('?')[2].replace('&', '&amp;')}&amp;reveal=1"
            assert f'href="?{offered}"' in page.content.decode(), address
            assert "this view was logged" in admin.get(f"{address}&reveal=1").content.decode()
    finally:
        unregister_fold("a")


def test_revealing_what_a_malformed_event_or_an_error_says_is_logged(
    admin, store, pages, settings, caplog
):
    event = Event("order-1", "Broken")
    corrupted[event.id] = b"secret"
    position = store.save_event(event).position
    store.save_event(Event("order-2", "OrderPaid", {"secret": 1}))
    settings.EVENT_STORE_ADMIN = REDACT
    viewed = f"malformed event at position {position}"
    failed = pages("state", "order-2")
    for address, what in [
        (pages("malformed"), viewed),
        (pages("actor", "order-1"), viewed),
        (pages("problem", position), viewed),
        (pages("problem_raw", position), viewed),
        (failed, f"why a fold failed, at {failed}"),
    ]:
        caplog.clear()
        with caplog.at_level(logging.INFO, "django_eventstore.audit"):
            admin.get(address)
            assert [record for record in caplog.records if hasattr(record, "viewed")] == []
            admin.get(f"{address}?reveal=1")
        assert [r.viewed for r in caplog.records if hasattr(r, "viewed")] == [what], address
    corrupted.clear()


def test_revealing_the_changes_of_a_field_is_logged(admin, store, pages, settings, caplog):
    fill(store)
    settings.EVENT_STORE_ADMIN = REDACT
    address = pages("field", "order-1") + "?path=card.number"
    with caplog.at_level(logging.INFO, "django_eventstore.audit"):
        assert "4242-4242" not in admin.get(address).content.decode()
        assert caplog.records == []
        assert "4242-4242" in admin.get(address + "&reveal=1").content.decode()
    [record] = caplog.records
    assert record.viewed == "changes of 'card.number' of actor 'order-1'"


def test_why_an_event_is_malformed_tells_nothing_of_its_content(store, pages):
    event = Event("order-1", "Broken")
    corrupted[event.id] = b"secret"
    position = store.save_event(event).position
    lister = client("view_eventstore")
    for address in [pages("malformed"), pages("problem", position), pages("actor", "order-1")]:
        page = lister.get(address).content.decode()
        assert "ValueError" in page
        assert "ValueError</strong>: <bdi>ValueError" not in page
        assert "secret" not in page
    corrupted.clear()


def fail(event: Event) -> Event:
    raise ValueError(f'Nobody\'s "name" is {event.data["name"]}')


def test_words_of_a_project_about_a_malformed_event_are_hidden_with_its_content(
    store, pages, settings
):
    register_upcaster("Named", 1, fail)
    try:
        position = store.save_event(Event("a", "Named", {"name": "Thorvaldsen"})).position
        addresses = [pages("malformed"), pages("problem", position), pages("actor", "a")]
        reader = client("view_eventstore", "view_payload", "skip_malformedevent")
        for address in addresses:
            assert "Thorvaldsen" in reader.get(address).content.decode(), address
        settings.EVENT_STORE_ADMIN = {"redact": {"*": ["name"]}}
        for address in addresses:
            assert "Thorvaldsen" not in reader.get(address).content.decode(), address
        exported = reader.get(pages("export") + "?actor=a")
        assert b"Thorvaldsen" not in b"".join(exported.streaming_content)
        reader.post(pages("skip", position), {"reason": "why"})
        assert SkippedEvent.objects.get().problem == "ValueError"

        settings.EVENT_STORE_ADMIN = {}
        get_user_model().objects.all().delete()
        lister = client("view_eventstore")
        for address in addresses:
            page = lister.get(address).content.decode()
            assert ("ValueError" in page, "Thorvaldsen" in page) == (True, False), address
    finally:
        unregister_upcaster("Named", 1)


def test_a_record_from_before_the_redaction_tells_nothing_of_what_is_redacted(
    store, pages, settings
):
    event = Event("order-1", "Broken")
    corrupted[event.id] = b"secret"
    position = store.save_event(event).position
    reader = client("view_eventstore", "view_payload", "skip_malformedevent", "view_skippedevent")
    reader.post(pages("skip", position), {"reason": "why"})
    corrupted.clear()
    record = SkippedEvent.objects.get()
    address = f"/admin/django_eventstore/skippedevent/{record.pk}/change/"
    assert record.problem in reader.get(address).content.decode()
    settings.EVENT_STORE_ADMIN = REDACT
    page = reader.get(address).content.decode()
    assert ("why" in page, record.problem in page) == (True, False)
