"""For tests: the contract that every backend passes, given/when/then, factories, fixtures."""

import sys

if "pytest" in sys.modules:
    # Show what was compared when an assertion of the contract fails.
    sys.modules["pytest"].register_assert_rewrite("django_eventstore.test.contract")
