"""Who sees what: staff is not permission, lists are not payloads, and addresses are not trusted."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.contrib.admin import site
from django.test import Client

from django_eventstore.admin.access import PAGES
from django_eventstore.admin.urls import addresses as addresses_of
from django_eventstore.models import SkippedEvent
from tests.admin.conftest import client, fill

pytestmark = pytest.mark.django_db


def test_an_anonymous_visitor_is_sent_to_the_login(addresses):
    for address in [*addresses[0], *addresses[1]]:
        response = Client().get(address)
        assert response.status_code == 302, address
        assert response.url.startswith("/admin/login/")


def test_staff_without_permission_see_nothing(addresses, pages):
    staff = client()
    for address in [*addresses[0], *addresses[1]]:
        assert staff.get(address).status_code == 403, address
    assert "eventstore" not in staff.get("/admin/").content.decode()


def test_lists_are_not_payloads(addresses):
    lister = client("view_eventstore")
    for address in addresses[0]:
        response = lister.get(address)
        assert response.status_code == 200, address
        assert "Mia" not in response.content.decode(), address
    for address in addresses[1]:
        assert lister.get(address).status_code == 403, address


def test_each_page_that_asks_for_more_is_a_page():
    names = {pattern.name for pattern in addresses_of(site)}
    assert {f"eventstore_{page}" for page in PAGES} <= names


def test_the_index_leads_to_the_stores(addresses, pages):
    assert pages("stores") in client("view_eventstore").get("/admin/").content.decode()


@pytest.mark.parametrize(
    "path",
    [
        "nosuchstore/-/",
        "default/nosuchnamespace/",
        "default/-/actors/nobody/",
        "default/-/actors/order-1/state/?version=-1",
        "default/-/actors/order-1/state/?version=x",
        "default/-/actors/order-1/state/?version=99999999999999999999",
        "default/-/actors/order-1/state/?at=yesterday",
        "default/-/actors/order-1/?from=-5",
        "default/-/actors/order-1/?since=2026-02-31",
        "default/-/actors/_00/",
        "default/-/actors/_FF/",
        "default/-/actors/?cursor=nonsense",
        "default/-/actors/?o=password",
        "default/-/actors/?seen=sometime",
        "default/-/events/999/",
        "default/-/events/99999999999999999999999/",
        "default/-/malformed/999/",
        "default/-/export/",
        "default/-/export/?actor=%00",
        "default/-/search/?since=0001-01-01T00:00:00%2B14:00",
        "default/-/search/?until=9999-12-31T23:59:59-14:00",
    ],
)
def test_crafted_addresses_are_not_found(admin, store, pages, path):
    fill(store)
    assert admin.get(f"{pages('stores')}{path}").status_code == 404


def test_further_namespaces_have_to_be_configured(admin, store, pages, settings):
    fill(store.with_namespace("eu west"))
    pages.namespace = "eu west"
    assert admin.get(pages("actors")).status_code == 404
    settings.EVENT_STORE_ADMIN = {"namespaces": {"default": ["eu west"]}}
    assert "order-1" in admin.get(pages("actors")).content.decode()
    pages.namespace = ""
    assert "order-1" not in admin.get(pages("stores") + "default/-/actors/").content.decode()


def test_nothing_can_be_posted_but_the_skip_record(addresses, pages):
    everything = client("view_eventstore", "view_payload", "view_redacted")
    assert everything.post(pages("skip", 1), {"reason": "x"}).status_code == 403
    assert everything.get("/admin/django_eventstore/eventstore/add/").status_code == 404
    assert everything.get("/admin/django_eventstore/skippedevent/add/").status_code == 403
    assert not SkippedEvent.objects.exists()


WITHOUT_ADMIN = """
import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django_eventstore"],
    EVENT_STORES={"default": {"BACKEND": "django_eventstore.backends.memory.InMemoryEventStore"}},
    TEMPLATES=[
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
    ],
)
django.setup()
from django.template import engines

print(engines["django"].from_string("{% load eventstore_admin %}fine").render())
"""


def test_a_project_without_the_admin_works():
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_ADMIN], capture_output=True, text=True, check=False
    )
    assert ran.stdout.strip() == "fine", ran.stderr
