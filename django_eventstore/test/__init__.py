"""For tests: given/when/then, factories, fixtures, and the contract that every backend passes.

``given`` states what a decision does, without a store. ``django_eventstore.test.factories`` makes
events (with factory-boy), ``django_eventstore.test.fixtures`` has pytest fixtures,
``django_eventstore.test.contract`` is for those who write a backend.
"""

import sys

if "pytest" in sys.modules:
    # Show what was compared when an assertion in here fails.
    sys.modules["pytest"].register_assert_rewrite(
        "django_eventstore.test.contract", "django_eventstore.test.scenarios"
    )

from .scenarios import given

__all__ = ["given"]
