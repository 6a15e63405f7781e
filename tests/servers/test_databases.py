"""Each database alias works, and child processes reach the test's own databases."""

from __future__ import annotations

import os
import signal

import pytest
from django.contrib.auth.models import Group
from django.db import connections

from tests.servers.databases import child_environment
from tests.support.children import Child, ChildFailed, run_in_processes
from tests.support.database import ALL, on


def make_group(alias, name):
    Group.objects.using(alias).create(name=name)
    return os.getpid()


def fail():
    raise ValueError("no luck")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


@on(*ALL, transactions=True)
def test_child_processes_write_to_the_same_database(alias):
    processes = run_in_processes(make_group, [(alias, "a"), (alias, "b")])

    assert len({*processes, os.getpid()}) == 3
    assert set(Group.objects.using(alias).values_list("name", flat=True)) == {"a", "b"}


@on(*ALL, transactions=True)
def test_the_database_is_set_up_as_the_docs_advise(alias):
    connection = connections[alias]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA journal_mode")
            assert cursor.fetchone() == ("wal",)
        elif connection.vendor == "mysql":
            cursor.execute("SELECT @@sql_mode LIKE '%STRICT%', @@collation_server")
            assert cursor.fetchone() == (1, "utf8mb4_general_ci")
        else:
            cursor.execute("SHOW server_encoding")
            assert cursor.fetchone() == ("UTF8",)


@pytest.mark.django_db(databases=[])
@pytest.mark.parametrize(
    ("function", "told"), [(fail, "ValueError: no luck"), (die, "exit code -9")]
)
def test_a_child_that_fails_fails_the_test(function, told):
    with pytest.raises(ChildFailed, match=told):
        Child(function, environment=child_environment()).result()
