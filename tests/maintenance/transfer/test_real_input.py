"""Two real logs, through every store: imported, read back equal, copied, exported."""

from __future__ import annotations

import orjson
import pytest

from django_eventstore import Event, event_stores
from tests.support import DATA
from tests.support.commands import run

LOGS = {"permits": (8_577, 1_434), "purchases": (14_892, 466)}


@pytest.fixture(params=LOGS)
def log(request):
    """The name of a log that is here."""
    if not (DATA / f"{request.param}.ndjson").exists():
        pytest.skip(f"there is no {DATA / request.param}.ndjson")
    return request.param


def documents(log):
    with (DATA / f"{log}.ndjson").open("rb") as lines:
        return [
            Event.from_dict(orjson.loads(line)).to_dict() | {"position": None} for line in lines
        ]


@pytest.fixture
def configured(settings, request):
    """Let EVENT_STORES have a JetStream store beside the others."""

    def configure(alias):
        if alias == "stream":
            server = request.getfixturevalue("nats_server")
            settings.EVENT_STORES = {
                **settings.EVENT_STORES,
                "stream": {
                    "BACKEND": "django_eventstore.backends.jetstream.JetStreamEventStore",
                    "NAMESPACE": f"real-{request.node.name}"[:100],
                    "OPTIONS": {"servers": [server.url], "max_age": None},
                },
            }
        else:
            settings.EVENT_STORES = dict(settings.EVENT_STORES)
        return event_stores[alias]

    return configure


@pytest.mark.parametrize(
    "alias",
    [
        "memory",
        pytest.param("default", marks=pytest.mark.django_db),
        pytest.param("postgres", marks=pytest.mark.django_db(databases=["postgres"])),
        pytest.param("mariadb", marks=pytest.mark.django_db(databases=["mariadb"])),
        "stream",
    ],
)
def test_every_event_of_a_log_equals_its_line(log, alias, configured):
    store = configured(alias)
    file = DATA / f"{log}.ndjson"
    count, actors = LOGS[log]

    first = run("import_events", file, store=alias)
    again = run("import_events", file, store=alias)

    # Beside it, progress: more or less of it, as the machine is slow or fast.
    assert first[:2] == (0, f"{count:,} new events stored, 0 already stored, 0 bad lines.\n")
    assert again[:2] == (0, f"0 new events stored, {count:,} already stored, 0 bad lines.\n")
    given = documents(log)
    assert [event.to_dict() | {"position": None} for event in store.read_all()] == given
    assert run("verify_events", store=alias).out == (
        f"{count:,} events, {actors:,} actors, 0 snapshots verified: all is well.\n"
    )


@pytest.mark.django_db
@pytest.mark.parametrize("log", ["permits"], indirect=True)
def test_from_the_database_to_jetstream_and_back(log, configured):
    configured("stream")
    count, actors = LOGS[log]
    run("import_events", DATA / f"{log}.ndjson")

    there = run("copy_events", "default", "stream", to_namespace=f"{log}-there")
    back = run("copy_events", "stream", "default", namespace=f"{log}-there", to_namespace="back")

    compared = f"{count:,} events of {actors:,} actors compared: both stores hold the same.\n"
    for ended in (there, back):
        assert ended.status == 0, ended
        assert ended.out.endswith(compared)
    ended = run("verify_events", against="default", against_namespace="back")
    assert ended.status == 0
    back_again = event_stores["default"].with_namespace("back").read_all()
    assert [event.to_dict() | {"position": None} for event in back_again] == documents(log)
