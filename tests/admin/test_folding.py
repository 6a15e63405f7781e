"""What is remembered of long histories."""

from __future__ import annotations

import pytest

from django_eventstore import Event, event_stores
from django_eventstore.admin import folding, scanning

pytestmark = pytest.mark.django_db


def test_what_is_remembered_of_long_histories_has_a_bound_in_bytes(store, monkeypatch):
    monkeypatch.setattr(folding, "BYTES_KEPT", 3_000_000)
    fold = folding.fold_of("large")
    store.save_events([Event("large", "T", {"text": "x" * 900_000, "n": 0})])
    store.save_events([Event("large", "T", {"n": number}) for number in range(1, 6000)])
    deadline = scanning.Deadline(60)
    assert folding.fold_to(store, "large", fold, 6000, deadline).state["n"] == 5999
    remembered = folding._remembered
    assert 1 <= len(remembered) <= 3
    # The newest are kept: what is looked at next is mostly near by.
    assert max(place[-1] for place in remembered) == 5000


def test_a_remembered_state_is_not_used_for_another_history(store):
    fold = folding.fold_of("long")
    deadline = scanning.Deadline(60)
    store.save_events([Event("long", "T", {"n": number}) for number in range(2500)])
    assert folding.fold_to(store, "long", fold, 2400, deadline).state == {"n": 2399}
    assert folding.fold_to(store, "long", fold, 2001, deadline).state == {"n": 2000}
    other = event_stores.create_connection("default").with_namespace("")
    other.backend._memory = type(other.backend._memory)()
    other.save_events([Event("long", "T", {"m": number}) for number in range(2500)])
    assert folding.fold_to(other, "long", fold, 2400, deadline).state == {"m": 2399}
