"""Which store it is: alias, options, namespace; and how it tells receivers of signals."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any, Self

from django.dispatch import Signal

from ..backends.base import Backend
from ..events.namespaces import check_namespace

logger = logging.getLogger("django_eventstore")


class StoreBase(Backend):
    """A store as configured, with the arguments of EventStore; each job builds on it."""

    def __init__(
        self,
        alias: str | None = None,
        *,
        namespace: str | Callable[[], str] = "",
        **options: Any,
    ) -> None:
        self.alias = alias
        self._namespace = namespace if callable(namespace) else check_namespace(namespace)
        self.options = self.options_class.from_mapping(
            options, where=f"EVENT_STORES[{alias!r}]" if alias else type(self).__name__
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.alias or 'unnamed'!r}>"

    @property
    def namespace(self) -> str:
        """The namespace that an operation started now would work in."""
        if callable(self._namespace):
            return check_namespace(self._namespace())
        return self._namespace

    def with_namespace(self, name: str) -> Self:
        """Return the same store in the namespace ``name``, on the same connection.

        Raises:
            InvalidEventError: ``name`` is no namespace.
        """
        other = copy.copy(self)
        other._namespace = check_namespace(name)
        return other

    def _pinned(self) -> Self:
        """Return this store in the namespace of now, for an operation of several steps."""
        return self.with_namespace(self.namespace) if callable(self._namespace) else self

    def _send(self, signal: Signal, namespace: str, **values: Any) -> None:
        for receiver, response in signal.send_robust(
            type(self), store=self, namespace=namespace, **values
        ):
            if isinstance(response, Exception):
                logger.error(
                    "Receiver %r failed (store %r)",
                    receiver,
                    self.alias,
                    exc_info=response,
                    extra={"store": self.alias, "namespace": namespace},
                )
