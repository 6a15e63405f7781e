"""The contract itself: it is whole, and finds what is wrong with a store."""

from __future__ import annotations

import unittest
from collections import Counter

import pytest

from django_eventstore.backends.memory import InMemoryEventStore, MemoryBackend
from django_eventstore.test.contract import AsyncEventStoreContract, EventStoreContract

CONTRACT = "django_eventstore.test.contract"


@pytest.mark.parametrize("contract", [EventStoreContract, AsyncEventStoreContract])
def test_no_part_of_the_contract_hides_a_test_of_another(contract):
    parts = [part for part in contract.__mro__ if part.__module__.startswith(CONTRACT)]
    names = [name for part in parts for name in vars(part) if name.startswith("test_")]
    assert len(names) > 100
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_a_backend_that_breaks_the_contract_fails():
    """The suite runs under unittest as well, and finds what is wrong with a store."""

    class ForgetfulBackend(MemoryBackend):
        def append(self, namespace, events, expected_version):
            return super().append(namespace, events, None)

    class Forgetful(InMemoryEventStore):
        backend_class = ForgetfulBackend

    class Unittest(EventStoreContract, unittest.TestCase):
        shared_between_processes = False

        def make_store(self, namespace="", **options):
            return Forgetful(namespace=namespace, location="forgetful", **options)

    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Unittest)
    result = unittest.TestResult()
    suite.run(result)

    failed = {test.id().rpartition(".")[2] for test, _ in result.failures + result.errors}
    assert "test_expecting_a_version_behind_or_ahead_is_a_conflict" in failed
    assert "test_threads_at_the_same_version_have_one_winner" in failed
    assert "test_data_of_every_shape_comes_back_equal" not in failed
    assert result.testsRun - len(failed) - len(result.skipped) > 100
