"""A connection that is lost, and a login that is refused."""

from __future__ import annotations

import pytest
from django.db import connections, transaction

from django_eventstore import Event, StoreUnavailableError
from django_eventstore.backends.database import DatabaseEventStore
from tests.support.database import SERVERS, execute, on, store_on

pytestmark = pytest.mark.usefixtures("own_namespace")
KILL = {"postgres": "SELECT pg_terminate_backend(%s)", "mariadb": "KILL CONNECTION %s"}
OWN_ID = {"postgres": "SELECT pg_backend_pid()", "mariadb": "SELECT CONNECTION_ID()"}


def cut_connection(alias):
    ((number,),) = execute(alias, OWN_ID[alias])
    other = connections[alias].copy()
    with other.cursor() as cursor:
        cursor.execute(KILL[alias], (number,))
    other.close()


@on(*SERVERS, transactions=True)
def test_a_lost_connection_is_said_and_the_next_call_connects_anew(alias):
    store = store_on(alias)
    event = Event("a", "happened")
    cut_connection(alias)
    with pytest.raises(StoreUnavailableError) as caught:
        store.save_event(event)
    assert caught.value.__cause__ is not None
    saved = store.save_event(event)

    cut_connection(alias)
    with pytest.raises(StoreUnavailableError) as caught:
        store.get_events("a")
    assert not caught.value.outcome_unknown
    assert store.get_events("a") == [saved]


@on(*SERVERS, transactions=True)
def test_a_connection_lost_inside_a_transaction_leaves_nothing(alias):
    store = store_on(alias)

    def save_and_lose():
        with transaction.atomic(alias):
            store.save_event(Event("a", "happened"))
            cut_connection(alias)
            store.save_event(Event("a", "happened"))

    with pytest.raises(StoreUnavailableError) as caught:
        save_and_lose()
    assert not caught.value.outcome_unknown
    connections[alias].close()
    assert store.get_latest_version("a") == 0


@pytest.mark.django_db(databases=["default", "mariadb"], transaction=True)
def test_a_store_says_that_the_login_is_refused(monkeypatch):
    connection = connections["mariadb"]
    connection.close()
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "PASSWORD", "wrong")
        with pytest.raises(StoreUnavailableError, match="'mariadb' refuses the login: ") as caught:
            DatabaseEventStore(database="mariadb").save_event(Event("a", "happened"))
        assert not caught.value.outcome_unknown
