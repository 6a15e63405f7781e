"""Every page, as the test client sees it."""

import pytest

from tests.admin.conftest import HOSTILE, fill


@pytest.mark.django_db
def test_smoke(admin, store, pages):
    saved = fill(store)
    from django_eventstore import Event
    from tests.stores import corrupted

    e = Event("order-1", "Bad")
    corrupted[e.id] = b"\x00abc"
    bad = store.save_event(e)
    urls = [
        pages("stores"),
        pages("store"),
        pages("actors"),
        pages("actors") + "?malformed=1",
        pages("actors") + "?seen=day",
        pages("actor", "order-1"),
        pages("actor", HOSTILE),
        pages("state", "order-1"),
        pages("state", "order-1") + "?version=3&against=1",
        pages("state", HOSTILE),
        pages("blame", "order-1"),
        pages("field", "order-1") + "?path=status",
        pages("event", saved["order-1 3"].position),
        pages("event", saved["large-1 1"].position),
        pages("compare") + "?actor=order-1&actor=order-2",
        pages("search") + "?user=mia",
        pages("jump") + "?q=ord",
        pages("malformed"),
        pages("problem", bad.position),
        pages("export") + "?actor=order-1",
    ]
    for u in urls:
        r = admin.get(u)
        assert r.status_code == 200, (u, r.status_code)
        body = b"".join(r.streaming_content) if r.streaming else r.content
        print(u, len(body))
    corrupted.clear()
