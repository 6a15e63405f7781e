"""The quick open."""

from __future__ import annotations

import pytest

from tests.admin.conftest import HOSTILE, fill

pytestmark = pytest.mark.django_db


def test_the_quick_open_suggests_actors_events_and_pages(admin, store, pages):
    fill(store)

    def suggested(typed: str) -> list[tuple[str, str]]:
        answer = admin.get(pages("jump"), {"q": typed}).json()["suggestions"]
        return [(entry["kind"], entry["label"]) for entry in answer]

    assert suggested("order-")[:2] == [("Actor", "order-1"), ("Actor", "order-2")]
    assert ("Page", "Search") in suggested("sea")
    assert ("Event at position", "3") in suggested("3")
    assert suggested("\x00")  # no actor can be called that
    for entry in admin.get(pages("jump"), {"q": HOSTILE}).json()["suggestions"]:
        assert admin.get(entry["url"]).status_code in {200, 302}
