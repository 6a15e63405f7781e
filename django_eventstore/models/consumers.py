"""What projections, forwarders and replays keep in the database: how far, and who works on it.

All of it lies in the database that the consumer writes to, so that it moves on in the same
transaction.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..events.namespaces import MAX_NAMESPACE_BYTES
from ..events.validation import MAX_TEXT_LENGTH
from .fields import CodePointField


class ConsumerStatus(models.TextChoices):
    """What a consumer's rows are for."""

    LIVE = "live", _("live")
    BUILDING = "building", _("being built")
    SWAPPING = "swapping", _("being put in place")
    RETIRED = "retired", _("retired")
    REPLAYING = "replaying", _("a replay's")


class Consumer(models.Model):
    """One generation of a projection; a forwarder; or a run of ``replay_events --all``.

    A rebuild makes the next generation beside the live one, and a swap changes their statuses.
    """

    name = CodePointField(_("name"), max_length=MAX_TEXT_LENGTH)
    store = CodePointField(_("store"), max_length=MAX_TEXT_LENGTH)
    place = models.TextField(_("place"))
    """Where that store keeps its events: positions mean nothing anywhere else."""
    namespace = CodePointField(_("namespace"), max_length=MAX_NAMESPACE_BYTES, blank=True)
    generation = models.PositiveBigIntegerField(_("generation"), default=0)
    status = models.CharField(_("status"), max_length=20, default=ConsumerStatus.LIVE)
    shard_count = models.PositiveIntegerField(_("shards"))
    fencing = models.BigIntegerField(_("fencing number"), default=0)
    """The last fencing number given out."""

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("consumer")
        verbose_name_plural = _("consumers")
        constraints = (
            models.UniqueConstraint(
                fields=("name", "namespace", "generation"), name="eventstore_consumer_once"
            ),
        )

    def __str__(self) -> str:
        return str(self.name)


class ConsumerWorker(models.Model):
    """A process (or thread) that works on a consumer; alive until ``expires_at``."""

    consumer = models.ForeignKey(Consumer, models.CASCADE, related_name="workers")
    name = CodePointField(_("name"), max_length=MAX_TEXT_LENGTH)
    exclusive = models.BooleanField(_("exclusive"), default=False)
    """Whether all others are to give up their shards."""
    expires_at = models.DateTimeField(_("expires at"))
    """By the database's clock."""
    error = models.TextField(_("error"), blank=True)
    """What keeps the worker from going on."""

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        constraints = (
            models.UniqueConstraint(fields=("consumer", "name"), name="eventstore_worker_once"),
        )

    def __str__(self) -> str:
        return str(self.name)


class ShardLease(models.Model):
    """Who owns a shard, and the position that it is at: its checkpoint."""

    consumer = models.ForeignKey(Consumer, models.CASCADE, related_name="shards", db_index=False)
    shard = models.PositiveIntegerField(_("shard"))
    position = models.BigIntegerField(_("position"), default=0)
    """Everything up to here has taken effect."""
    receipt = models.TextField(_("receipt"), blank=True)
    """Of a forwarder: what the target said of itself when it had everything up to here."""
    owner = models.ForeignKey(
        ConsumerWorker, models.SET_NULL, related_name="shards", null=True, blank=True
    )
    fencing = models.BigIntegerField(_("fencing number"), default=0)
    """Rises with each change of owner: a former owner is known by its older number."""

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("shard")
        verbose_name_plural = _("shards")
        constraints = (
            models.UniqueConstraint(fields=("consumer", "shard"), name="eventstore_shard_once"),
        )

    def __str__(self) -> str:
        return f"{self.consumer} {self.shard}"


class ParkedEvent(models.Model):
    """An event that a projection could not apply, or that waits behind such a one."""

    consumer = models.ForeignKey(Consumer, models.CASCADE, related_name="parked", db_index=False)
    position = models.BigIntegerField(_("position"))
    shard = models.PositiveIntegerField(_("shard"))
    actor_id = CodePointField(_("actor"), max_length=MAX_TEXT_LENGTH, blank=True)
    event_type = CodePointField(_("event type"), max_length=MAX_TEXT_LENGTH, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    error = models.TextField(_("error"), blank=True)
    """Empty: it has not failed itself, and waits for an earlier event of its actor."""
    next_try_at = models.DateTimeField(_("next try at"), null=True, blank=True)
    """Null: it is not tried again by itself."""
    parked_at = models.DateTimeField(_("parked at"), auto_now_add=True)

    class Meta:
        default_permissions = ("view", "change", "delete")
        verbose_name = _("parked event")
        verbose_name_plural = _("parked events")
        constraints = (
            models.UniqueConstraint(fields=("consumer", "position"), name="eventstore_parked_once"),
        )

    def __str__(self) -> str:
        return f"{self.event_type} {self.position}"
