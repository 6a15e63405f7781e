"""Malformed events that somebody has looked at and marked as skipped.

The event stays where it is. Reads still name it, with the reason, and replays list it as
skipped instead of as an error. The record is ``SkippedEvent``, made in the admin.
"""

from __future__ import annotations

import logging
from functools import cached_property

logger = logging.getLogger("django_eventstore")


class SkipReasons:
    """Why events of a store were marked as skipped; asks the database on first use.

    Args:
        alias: the store's alias; a store made by hand (None) has no records.
        namespace: the namespace the events are in.
    """

    def __init__(self, alias: str | None, namespace: str) -> None:
        self.alias = alias
        self.namespace = namespace

    def get(self, position: int | None) -> str | None:
        """Return the reason given for the event at ``position``, or None."""
        return None if position is None else self._by_position.get(position)

    @cached_property
    def _by_position(self) -> dict[int, str]:
        if self.alias is None:
            return {}
        try:
            return self._load(self.alias)
        except Exception as error:
            # Whatever keeps the database from answering (no such table, a process that has no
            # database) must not stop a reader of another store: the event counts as malformed.
            logger.info("Cannot look up skipped events of store %r: %s", self.alias, error)
            return {}

    def _load(self, alias: str) -> dict[int, str]:
        from django.db import router, transaction

        from ..admin_models import SkippedEvent

        records = SkippedEvent.objects.filter(store=alias, namespace=self.namespace)
        # A failed query must not spoil a transaction that the caller has open on PostgreSQL.
        with transaction.atomic(using=router.db_for_read(SkippedEvent)):
            return dict(records.values_list("position", "reason"))
