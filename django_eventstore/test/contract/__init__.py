"""The contract: what every store does, as tests.

For a backend of your own, subclass both classes and give a store factory::

    class MyStore:
        process_store = "tests.stores.open_my_store"  # for the tests with child processes

        def make_store(self, namespace="", **options):
            return MyEventStore("my store", namespace=namespace, **options)

    class TestMyStore(MyStore, EventStoreContract):
        pass

    class TestMyStoreAsync(MyStore, AsyncEventStoreContract):
        pass

They run under pytest as they are, and under unittest with a ``TestCase`` as a further base (a
``TransactionTestCase``, or the mark ``django_db(transaction=True)``, where the store is in a
database). What a store says that it cannot do (``supports_...``) is not asked of it; what it says
that it can, is. See ``ContractBase`` for the hooks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...store import EventStore
from .actors import Actors
from .appending import Appending
from .asynchrony import Asynchrony
from .base import ContractBase, Twins
from .concurrency import Concurrency
from .malformed import Malformed
from .namespaces import Namespaces
from .reading import Reading
from .retries import Retries
from .signalling import Signals, Transactions
from .snapshots import Replay, Snapshots
from .updating import Updating
from .values import Values
from .versions import Versions
from .whole_store import WholeStore

__all__ = ["AsyncEventStoreContract", "ContractBase", "EventStoreContract"]


class EventStoreContract(
    Appending,
    Versions,
    Retries,
    Values,
    Reading,
    WholeStore,
    Actors,
    Snapshots,
    Replay,
    Updating,
    Namespaces,
    Signals,
    Transactions,
    Malformed,
    Concurrency,
    Asynchrony,
):
    """The whole contract."""


class AsyncEventStoreContract(
    Appending,
    Versions,
    Retries,
    Reading,
    WholeStore,
    Actors,
    Snapshots,
    Replay,
    Updating,
    Namespaces,
    Signals,
    Malformed,
):
    """The same scenarios through the asynchronous twins."""

    def open(self, namespace: str | Callable[[], str] | None = None, **options: Any) -> Twins:
        """Return the twins of a store."""
        store: EventStore = super().open(namespace, **options)
        return Twins(store)
