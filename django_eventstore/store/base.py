"""Which store it is: alias, options, namespace, backend."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Self

from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured

from ..backends.base import Backend
from ..events.namespaces import check_namespace
from .observability import retried


class StoreBase:
    """A store as configured, with the arguments of EventStore; each job builds on it.

    Attributes:
        alias: the name in ``EVENT_STORES``, or None for a store made by hand.
        options: the options, defaults filled in.
        backend: where the events are kept: the primitives.
    """

    backend_class: ClassVar[type[Backend]]

    def __init__(
        self, alias: str | None = None, *, namespace: str | Callable[[], str] = "", **options: Any
    ) -> None:
        if not hasattr(self, "backend_class"):
            raise ImproperlyConfigured(
                f"{type(self).__name__} has no backend_class: the Backend that keeps its events."
            )
        self.alias = alias
        self._namespace = namespace if callable(namespace) else check_namespace(namespace)
        where = f"EVENT_STORES[{alias!r}]" if alias else type(self).__name__
        self.options = self.backend_class.options_class.from_mapping(options, where=where)
        self._take(self.backend_class(alias, self.options))

    def _take(self, backend: Backend) -> None:
        self.backend = backend
        # No closure and no weak reference: a store can be pickled.
        backend.on_retry = partial(retried, self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.alias or 'unnamed'!r}>"

    @property
    def namespace(self) -> str:
        """The namespace that an operation started now would work in."""
        if callable(self._namespace):
            return check_namespace(self._namespace())
        return self._namespace

    @property
    def place(self) -> str:
        """Where the events are, whatever the alias and the servers are called.

        A checkpoint means nothing in any other place.
        """
        place = self.backend.place(self.namespace)
        return f"{type(self).__name__}({place!r})" if place else type(self).__name__

    def with_namespace(self, name: str) -> Self:
        """Return the same store in the namespace ``name``, on the same connection.

        Raises:
            InvalidEventError: ``name`` is no namespace.
        """
        other = copy.copy(self)
        other._namespace = check_namespace(name)  # noqa: SLF001 - of its own class
        other._take(copy.copy(self.backend))  # noqa: SLF001
        return other

    def setup(self, *, update: bool = False, check: bool = False) -> list[str]:
        """Make what the store needs on its server; return what is not as the options say.

        What is there already is changed only with ``update``. Most backends need nothing.

        Args:
            update: change what differs.
            check: only look.
        """
        return self.backend.setup(self.namespace, update=update, check=check)

    async def asetup(self, *, update: bool = False, check: bool = False) -> list[str]:
        """See setup()."""
        return await self.backend.asetup(self.namespace, update=update, check=check)

    def check(self) -> list[CheckMessage]:
        """Return what a system check has to say of the settings; never opens a connection."""
        return self.backend.check()

    def check_deployment(self) -> list[CheckMessage]:
        """Return what ``check --deploy`` has to say of settings by which events may be lost."""
        return self.backend.check_deployment()

    def describe(self) -> dict[str, Any]:
        """Return where the store keeps its data, for people: names to values, no secrets."""
        kind = type(self)
        return {
            "backend": f"{kind.__module__}.{kind.__qualname__}",
            **self.backend.describe(self.namespace),
        }

    def close(self) -> None:
        """Release what this object holds; it opens again when it is used again."""
        self.backend.close()

    async def aclose(self) -> None:
        """See close()."""
        await self.backend.aclose()

    def _pinned(self) -> Self:
        """Return this store in the namespace of now, for an operation of several steps."""
        return self.with_namespace(self.namespace) if callable(self._namespace) else self
