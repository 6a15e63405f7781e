"""The names of namespaces."""

from __future__ import annotations

import pytest

from django_eventstore import InvalidEventError
from django_eventstore.events.namespaces import MAX_NAMESPACE_BYTES, check_namespace


@pytest.mark.parametrize(
    "name", ["", "prod", "eu.orders", "a/b", "注文", "my_orders", "a>", "7", "x" * 150, "é" * 75]
)
def test_names(name):
    assert check_namespace(name) == name


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (None, "must be text"),
        (5, "must be text"),
        (b"a", "must be text"),
        ("a\n", "control character"),
        ("\ud800a", "lone surrogate"),
        (">", "no letter or digit"),
        (" ", "no letter or digit"),
        ("x" * 151, "the limit is 150"),
        ("é" * 76, f"the limit is {MAX_NAMESPACE_BYTES}"),
    ],
)
def test_what_is_no_name(name, told):
    with pytest.raises(InvalidEventError, match=told) as caught:
        check_namespace(name)
    assert caught.value.field == "namespace"
