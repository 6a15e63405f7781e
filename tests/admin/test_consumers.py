"""The page of projections and other consumers."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from django_eventstore import Event
from django_eventstore.models import Consumer
from django_eventstore.projections import projection
from django_eventstore.workers.consumers import open_consumer
from tests.admin.conftest import client
from tests.support.projections.models import Total

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_projections")]


def test_a_projection_without_its_database_spoils_no_page(admin, store):
    projection("elsewhere", models=[Total], database="gone")(print)
    page = admin.get(reverse("admin:eventstore_consumers")).content.decode()
    assert "gone" in page


def test_the_last_error_of_a_projection_is_for_who_may_see_data(store, settings):
    consumer = open_consumer("counts", store, shards=1, using="default")
    failure = "Traceback (most recent call last):\n  File x\nValueError: secret of Ada\n"
    consumer.parked.create(position=2, shard=0, actor_id="a", error=failure)
    address = reverse("admin:eventstore_consumers")
    seen = client("view_eventstore", "view_payload").get(address).content.decode()
    assert "<summary><bdi>ValueError: secret of Ada</bdi></summary>" in seen
    settings.EVENT_STORE_ADMIN = {"redact": {"*": ["name"]}}
    get_user_model().objects.all().delete()
    seen = client("view_eventstore", "view_payload").get(address).content.decode()
    assert ("secret" in seen, "It may contain redacted values" in seen) == (False, True)
    settings.EVENT_STORE_ADMIN = {}
    get_user_model().objects.all().delete()
    assert "secret" not in client("view_eventstore").get(address).content.decode()


def test_a_store_with_wrong_settings_hides_no_projection_of_another(admin, store, settings):
    open_consumer("counts", store, shards=1, using="default")
    Consumer.objects.create(name="lost", store="wrong", shard_count=1)
    settings.EVENT_STORES = {**settings.EVENT_STORES, "wrong": {"BACKEND": "no.such.Store"}}
    page = admin.get(reverse("admin:eventstore_consumers"))
    assert [row.consumer.name for row in page.context["rows"]] == ["counts"]
    assert "no.such.Store" in page.content.decode()


def test_projections_show_their_position_and_lag(admin, store):
    saved = store.save_events([Event("a", "T") for _ in range(5)])
    consumer = open_consumer("counts", store, shards=2, using="default")
    consumer.shards.update(position=saved[1].position)
    consumer.parked.create(position=2, shard=0, actor_id="a", error="It broke")
    Consumer.objects.create(name="lost", store="gone", shard_count=1)
    page = admin.get(reverse("admin:eventstore_consumers"))
    rows = {row.consumer.name: row for row in page.context["rows"]}
    figures = rows["counts"].figures
    assert (figures.position, figures.lag, figures.parked) == (saved[1].position, 3, 1)
    assert "It broke" in page.content.decode()
    assert rows["lost"].figures is None
