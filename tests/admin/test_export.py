"""Exports."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.django_db


def test_an_export_holds_all_events_and_names_the_malformed(admin, malformed, pages):
    response = admin.get(pages("export") + "?actor=order-1&actor=order-2")
    lines = [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]
    assert [(line.get("actor_id"), line.get("version")) for line in lines if "id" in line] == [
        ("order-1", 1),
        ("order-1", 2),
        ("order-1", 3),
        ("order-1", 4),
        ("order-2", 1),
    ]
    [broken] = [line["malformed"] for line in lines if "malformed" in line]
    assert broken["position"] == malformed
