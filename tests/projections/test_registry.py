"""Naming projections."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_eventstore.projections import Projection, get_projection, projection, register
from tests.support.projections.counting import run, save
from tests.support.projections.models import Total

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_function_can_be_a_projection():
    seen = []

    @projection("of-a-function", models=[Total], store="default", shards=1)
    def collect(event):
        seen.append(event.data["n"])

    save("default", 5)
    assert run(get_projection("of-a-function")) == 5
    assert seen == [0, 1, 2, 3, 4]


def test_wrong_projections_are_refused():
    get_projection("counting-default")  # each app's are loaded now
    with pytest.raises(ImproperlyConfigured, match="there is a projection 'counting-default'"):

        @register
        class Another(Projection):
            name = "counting-default"

    with pytest.raises(ImproperlyConfigured, match="name"):

        @register
        class Nameless(Projection):
            pass

    with pytest.raises(ImproperlyConfigured, match="did you mean 'event_types'"):
        projection("x", event_type=["A"])
    with pytest.raises(ImproperlyConfigured, match="There is no projection 'countin'"):
        get_projection("countin")


def test_a_projection_cannot_go_on_in_another_store(counting, monkeypatch):
    run(counting)
    monkeypatch.setattr(type(counting), "store", "memory")
    with pytest.raises(ImproperlyConfigured, match=r"has read DatabaseEventStore\('default'\)"):
        counting.open_consumer()
