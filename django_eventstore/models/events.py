"""Where the database store keeps events, actors and snapshots: to be read, never written.

Rows are written by ``EventStore`` alone. The database itself refuses to change or delete an
event (``migrations/_triggers.py``).
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..events.namespaces import MAX_NAMESPACE_BYTES
from ..events.validation import MAX_TEXT_LENGTH
from ..exceptions import UnsupportedOperation
from .fields import CodePointField, JSONTextField, UTCDateTimeField


def _refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise UnsupportedOperation(
        "These rows are written by the event store alone; use EventStore.save_event(), "
        "save_snapshot() or the command prune_events."
    )


class ReadOnlyQuerySet(models.QuerySet):  # type: ignore[type-arg]
    """A query set without a way to write."""

    create = get_or_create = update_or_create = bulk_create = bulk_update = _refuse
    update = delete = _refuse
    acreate = aget_or_create = aupdate_or_create = abulk_create = abulk_update = _refuse
    aupdate = adelete = _refuse
    _raw_delete = _update = _refuse


class ReadOnlyModel(models.Model):
    """A model without a way to write."""

    objects: ClassVar[models.Manager[Any]] = ReadOnlyQuerySet.as_manager()

    class Meta:
        abstract = True

    save = save_base = delete = _refuse
    asave = adelete = _refuse


class EventRecord(ReadOnlyModel):
    """One stored event."""

    position = models.BigAutoField(_("position"), primary_key=True)
    namespace = CodePointField(_("namespace"), max_length=MAX_NAMESPACE_BYTES)
    actor_id = CodePointField(_("actor id"), max_length=MAX_TEXT_LENGTH)
    version = models.BigIntegerField(_("version"))
    event_id = CodePointField(_("event id"), max_length=MAX_TEXT_LENGTH)
    event_type = CodePointField(_("event type"), max_length=MAX_TEXT_LENGTH)
    command_id = CodePointField(_("command id"), max_length=MAX_TEXT_LENGTH, blank=True)
    # From the metadata, cut to what an index can hold; NULL where there is none ("" is one).
    correlation_id = CodePointField(
        _("correlation id"), max_length=MAX_TEXT_LENGTH, null=True, blank=True
    )
    timestamp = UTCDateTimeField(_("timestamp"))
    data = JSONTextField(_("data"))
    metadata = JSONTextField(_("metadata"))

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("position",)
        constraints = (
            models.UniqueConstraint(fields=["namespace", "event_id"], name="eventstore_event_id"),
            models.UniqueConstraint(
                fields=["namespace", "actor_id", "version"], name="eventstore_event_version"
            ),
        )
        indexes = (
            models.Index(fields=["namespace", "position"], name="eventstore_event_position"),
        )

    def __str__(self) -> str:
        return f"{self.event_type} ({self.actor_id} {self.version})"


class ActorRecord(ReadOnlyModel):
    """One actor: its latest version, moved forward by each append, and what listings show."""

    pk = models.CompositePrimaryKey("namespace", "actor_id")
    namespace = CodePointField(_("namespace"), max_length=MAX_NAMESPACE_BYTES)
    actor_id = CodePointField(_("actor id"), max_length=MAX_TEXT_LENGTH)
    version = models.BigIntegerField(_("latest version"))
    event_count = models.BigIntegerField(_("number of events"))
    first_timestamp = UTCDateTimeField(_("first event"))
    last_timestamp = UTCDateTimeField(_("newest event"))

    class Meta:
        verbose_name = _("actor")
        verbose_name_plural = _("actors")
        ordering = ("namespace", "actor_id")

    def __str__(self) -> str:
        return str(self.actor_id)


class SnapshotRecord(ReadOnlyModel):
    """One snapshot of an actor's state."""

    pk = models.CompositePrimaryKey("namespace", "actor_id", "version")
    namespace = CodePointField(_("namespace"), max_length=MAX_NAMESPACE_BYTES)
    actor_id = CodePointField(_("actor id"), max_length=MAX_TEXT_LENGTH)
    version = models.BigIntegerField(_("version"))
    schema_version = models.IntegerField(_("form of the state"))
    timestamp = UTCDateTimeField(_("timestamp"))
    state = JSONTextField(_("state"))

    class Meta:
        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")
        ordering = ("namespace", "actor_id", "version")

    def __str__(self) -> str:
        return f"{self.actor_id} {self.version}"
