"""Errors."""

from __future__ import annotations

import pickle

import pytest

from django_eventstore import (
    DuplicateEventError,
    EventStoreError,
    EventTooLargeError,
    InvalidEventError,
    StoreUnavailableError,
    UnsupportedOperation,
    VersionConflictError,
)

ERRORS = [
    VersionConflictError("order-1", 3, 1, 2),
    DuplicateEventError("id-1", "order-1"),
    InvalidEventError("data['n']", "is wrong."),
    EventTooLargeError(2_000_000, 1_000_000),
    StoreUnavailableError("No answer.", outcome_unknown=True),
    UnsupportedOperation("The server lacks that."),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_can_be_pickled(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert isinstance(copy, EventStoreError)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_an_invalid_event_is_a_value_error_as_well():
    assert issubclass(InvalidEventError, ValueError)


def test_an_unknown_outcome_says_what_to_do():
    error = StoreUnavailableError("No answer.", outcome_unknown=True)
    assert error.outcome_unknown
    assert "save the same events (same ids) again" in str(error)
    assert not StoreUnavailableError("No answer.").outcome_unknown
