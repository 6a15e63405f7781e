"""Actors with malformed events, in stores that can tell their versions and in one that cannot."""

from __future__ import annotations

import os

import pytest

from django_eventstore import Event, event_stores
from tests.admin.conftest import MALFORMED, insert_malformed
from tests.support.jetstream import next_subject, publish

pytestmark = pytest.mark.django_db

BACKENDS = "django_eventstore.backends"


@pytest.fixture(params=["database", "jetstream"])
def write(request, settings):
    """Return a function that saves a history: ``.`` is an event, ``x`` a malformed one."""
    if request.param == "database":
        entry = {"BACKEND": f"{BACKENDS}.database.DatabaseEventStore"}
    else:
        server = request.getfixturevalue("nats_server")
        entry = {
            "BACKEND": f"{BACKENDS}.jetstream.JetStreamEventStore",
            "OPTIONS": {"servers": [server.url], "stream_name": f"broken-{os.urandom(4).hex()}"},
        }
    settings.EVENT_STORES = {"default": entry}
    store = event_stores["default"]

    def write(actor_id: str, history: str) -> None:
        for version, kind in enumerate(history, 1):
            if kind == ".":
                store.save_event(Event(actor_id, "T", {"n": version}, version=version))
            elif request.param == "database":
                insert_malformed(actor_id, version)
            else:
                publish(server.url, next_subject(store, actor_id), MALFORMED)

    return write


def shown(rows) -> str:
    """Return what a timeline shows, ``x`` for a malformed event and else the version."""
    return " ".join("x" if row.kind == "malformed" else str(row.item.version) for row in rows)


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize(
    ("history", "pages_shown"),
    [
        (".x.x.x.", ["7 x", "5 x", "3 x", "1"]),
        ("..xxxxx..", ["9 8", "x x", "x x", "x 2", "1"]),
        ("xxx..xxx", ["x x", "x 5", "4 x", "x x"]),
        ("xxxxx", ["x x", "x x", "x"]),
    ],
)
def test_pages_hold_each_malformed_event_once_and_in_its_place(
    admin, pages, settings, write, order, history, pages_shown
):
    settings.EVENT_STORE_ADMIN = {"page_size": 2}
    write("a", history)
    address = f"{pages('actor', 'a')}?order={order}"
    seen = []
    addresses = []
    while address:
        addresses.append(address)
        context = admin.get(address).context
        seen.append(shown(context["rows"]))
        address = context["page"].next_url
    everything = " ".join(pages_shown).split()
    if order == "oldest":
        everything.reverse()
    assert " ".join(seen).split() == everything
    assert {len(page.split()) for page in seen[:-1]} == {2}
    # The same pages on the way back.
    for page in reversed(range(1, len(seen))):
        back = admin.get(addresses[page]).context["page"].previous_url
        assert shown(admin.get(back).context["rows"]) == seen[page - 1]


def test_a_range_of_versions_holds_the_malformed_events_inside(admin, pages, write):
    write("a", ".x.x.x.x.x.")
    rows = admin.get(pages("actor", "a") + "?from=5&to=7").context["rows"]
    # Those beside it may be inside, for all that a store without their versions knows.
    assert shown(rows).removeprefix("x ").removesuffix(" x") == "7 x 5"


def test_a_timeline_goes_on_however_little_time_a_page_has(admin, pages, settings, write):
    settings.EVENT_STORE_ADMIN = {"time_limit": 1e-9}
    write("a", "xx.xxx.xx")
    address = pages("actor", "a")
    seen = []
    for _ in range(20):
        context = admin.get(address).context
        seen += shown(context["rows"]).split()
        address = context["page"].next_url
        if address is None:
            break
    assert " ".join(seen) == "x x 7 x x x 3 x x"


def test_a_state_counts_the_malformed_events_that_are_not_in_it(admin, pages, write):
    write("a", "x.x.xx")

    def malformed(query: str) -> int:
        return admin.get(pages("state", "a") + query).context["shown"].folded.malformed

    assert malformed("?version=2") == 1
    assert malformed("?version=4") in {2, 4}
    assert malformed("") in {2, 4}


def test_an_actor_with_malformed_events_alone_has_all_its_pages(admin, pages, write):
    write("a", "xx")
    for name in ("actor", "state", "blame"):
        response = admin.get(pages(name, "a"))
        assert response.status_code == 200, name
    assert admin.get(pages("field", "a") + "?path=n").status_code == 200
    assert shown(admin.get(pages("actor", "a")).context["rows"]) == "x x"
