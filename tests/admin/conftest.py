"""Stores with something to look at, and users with more or fewer permissions."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse

from django_eventstore import Event, EventStore, Snapshot, event_stores
from django_eventstore.folds import register_fold, unregister_fold
from django_eventstore.projections import registry
from tests.support.jetstream import next_subject, publish
from tests.support.memory import corrupted

if TYPE_CHECKING:
    from playwright.sync_api import Page

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
MALFORMED = b'{"type": "\x00\x1b\xff\xfe <script>alert(1)</script>'
HOSTILE = "a/../b c.d ☂ <script>alert('x')</script> \u202etxt&\"quoted\""


def apply(state: dict, event: Event) -> dict:
    """Fold an order."""
    match event.event_type:
        case "OrderPlaced":
            return {"status": "placed", "customer": event.data["customer"], "lines": []}
        case "LineAdded":
            state["lines"].append(event.data)
            return state
        case "OrderPaid":
            return {**state, "status": "paid", "card": event.data["card"]}
        case "OrderReopened":
            return {**state, "status": "placed"}
    return state


@pytest.fixture
def order_fold():
    register_fold("order-", apply, initial={}, schema_version=2)
    yield apply
    unregister_fold("order-")


def fill(store: EventStore) -> dict[str, Event]:
    """Save two orders, a payment that one of them caused, and hostile content."""

    def event(actor_id: str, event_type: str, minutes: int, **data: object) -> Event:
        return Event(
            actor_id,
            event_type,
            data,
            metadata={"user_id": "mia", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"},
            timestamp=START + timedelta(minutes=minutes),
        )

    card = {"number": "4242-4242", "name": "Mia M."}
    placed = event("order-1", "OrderPlaced", 0, customer="Mia")
    placed = placed.with_metadata(correlation_id=placed.id)
    paid = event("order-1", "OrderPaid", 65, card=card).caused_by(placed)
    booked = event("payment-1", "PaymentBooked", 66, amount=12.5).caused_by(paid)
    saved = store.save_events([placed])
    saved += store.save_events([event("order-1", "LineAdded", 5, sku="A-1", quantity=2)])
    saved += store.save_events([paid])
    saved += store.save_events([booked])
    saved += store.save_events([event("order-1", "OrderReopened", 70).caused_by(paid)])
    saved += store.save_events([event("order-2", "OrderPlaced", 80, customer="Thorvaldsen")])
    saved += store.save_events(
        [event(HOSTILE, "<b>Type</b>", 90, note="<script>alert(2)</script>\u202e'\"", deep=[[{}]])]
    )
    saved += store.save_events([event("large-1", "Large", 95, text="x" * 900_000)])
    store.save_snapshot(
        Snapshot(
            "order-1",
            2,
            {"status": "placed", "customer": "Mia", "lines": [{"sku": "A-1", "quantity": 2}]},
            schema_version=2,
        )
    )
    return {f"{event.actor_id} {event.version}": event for event in saved}


def insert_malformed(actor_id: str, version: int, raw: str = "{") -> None:
    """Insert an event whose data is `raw` into the database, as another program might."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_eventstore_eventrecord (namespace, actor_id, version, event_id,"
            " event_type, command_id, timestamp, data, metadata)"
            " VALUES ('', %s, %s, %s, 'T', '', '2026-03-01 12:00:00', %s, '{}')",
            [actor_id, version, f"{actor_id} {version}", raw],
        )


def user(*permissions: str, **fields: bool):
    """Return a staff user with these permissions of the app."""
    made = get_user_model().objects.create_user("staff", password="secret", is_staff=True, **fields)
    found = Permission.objects.filter(
        content_type__app_label="django_eventstore", codename__in=permissions
    )
    assert len(found) == len(permissions)
    made.user_permissions.set(found)
    return made


def client(*permissions: str) -> Client:
    """Return a client that is logged in as a staff user with these permissions."""
    logged_in = Client()
    logged_in.force_login(user(*permissions))
    return logged_in


@pytest.fixture
def admin(db) -> Client:
    """A client with every permission of these pages."""
    return client("view_eventstore", "view_payload", "view_redacted", "skip_malformedevent")


class Pages:
    """Addresses of a store's pages."""

    def __init__(self, alias: str, namespace: str = "-") -> None:
        self.alias = alias
        self.namespace = namespace

    def __call__(self, name: str, *args: object) -> str:
        if name == "stores":
            return reverse("admin:eventstore_stores")
        return reverse(f"admin:eventstore_{name}", args=[self.alias, self.namespace, *args])


@pytest.fixture
def pages() -> Pages:
    return Pages("default")


@pytest.fixture
def store(settings, order_fold):
    """A filled store in memory, in which events can be made malformed."""
    settings.EVENT_STORES = {"default": {"BACKEND": "tests.support.memory.CorruptibleMemoryStore"}}
    return event_stores["default"]


@pytest.fixture
def no_projections(monkeypatch):
    """Forget those of other tests: they are in databases that a test here does not have."""
    registry.get_projections()  # looks for them in the applications, once
    monkeypatch.setattr(registry, "_projections", {})


@pytest.fixture
def text(admin):
    """Return the text of a page."""

    def text(address: str) -> str:
        response = admin.get(address, follow=True)
        assert response.status_code == 200, address
        return response.content.decode()

    return text


@pytest.fixture
def malformed(store):
    """The position of a malformed event of order-1."""
    fill(store)
    event = Event("order-1", "Broken")
    corrupted[event.id] = MALFORMED
    yield store.save_event(event).position
    corrupted.clear()


@pytest.fixture
def addresses(store, pages):
    """The addresses that a user with the permission for lists may open, and the others."""
    fill(store)
    lists = [
        pages("stores"),
        pages("store"),
        pages("actors"),
        pages("actor", "order-1"),
        pages("event", 1),
        pages("compare"),
        pages("search"),
        pages("jump"),
        pages("malformed"),
    ]
    payloads = [
        pages("state", "order-1"),
        pages("blame", "order-1"),
        pages("field", "order-1"),
        pages("event_raw", 1),
        pages("export") + "?actor=order-1",
    ]
    return lists, payloads


# JetStream does not look causes up: those pages say so.
KINDS = ["database", "jetstream"]


@pytest.fixture(params=KINDS)
def filled(request, settings, order_fold):
    """A filled store with one malformed event, behind the alias ``default``."""
    if request.param == "database":
        entry = {"BACKEND": "django_eventstore.backends.database.DatabaseEventStore"}
    else:
        server = request.getfixturevalue("nats_server")
        entry = {
            "BACKEND": "django_eventstore.backends.jetstream.JetStreamEventStore",
            "OPTIONS": {"servers": [server.url], "stream_name": f"admin-{os.urandom(4).hex()}"},
        }
    settings.EVENT_STORES = {"default": entry}
    store = event_stores["default"]
    store.saved = fill(store)
    if request.param == "database":
        insert_malformed("order-2", 99, MALFORMED.decode("latin-1"))
    else:
        # In a thread: playwright's own event loop runs in this one.
        with ThreadPoolExecutor() as pool:
            subject = pool.submit(next_subject, store, "order-2").result()
            pool.submit(publish, server.url, subject, MALFORMED).result()
    return store


@pytest.fixture
def tab(live_server, quiet_page: Page) -> Page:
    """A browser's page, logged in; it must not complain of anything."""
    logged_in = client("view_eventstore", "view_payload", "view_redacted", "skip_malformedevent")
    name = django_settings.SESSION_COOKIE_NAME
    value = logged_in.cookies[name].value
    quiet_page.context.add_cookies([{"name": name, "value": value, "url": live_server.url}])
    quiet_page.set_default_timeout(10_000)
    return quiet_page


@pytest.fixture
def start(live_server, tab, pages) -> str:
    return live_server.url + pages("stores")
