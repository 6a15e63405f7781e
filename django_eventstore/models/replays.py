"""What ``replay_events --all`` keeps in the database, when several processes share a run."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .consumers import Consumer


class ReplayRun(models.Model):
    """A run through all of history; its shards, and who works on them, are its consumer's."""

    consumer = models.OneToOneField(Consumer, models.CASCADE, related_name="replay")
    task = models.TextField(_("task"))
    """What is done, as JSON: who joins has to mean the same."""
    end = models.BigIntegerField(_("end"))
    """The position at which a shard is done."""
    events = models.BigIntegerField(_("events"), default=0)
    actors = models.BigIntegerField(_("actors"), default=0)
    without_fold = models.BigIntegerField(_("actors without a fold"), default=0)
    skipped = models.BigIntegerField(_("skipped events"), default=0)
    worked_at = models.DateTimeField(_("worked at"))
    """When something was last done, by the database's clock."""

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("replay")
        verbose_name_plural = _("replays")

    def __str__(self) -> str:
        return str(self.consumer)


class ReplayFinding(models.Model):
    """Events of a run that failed for one reason, or an actor whose states differ."""

    run = models.ForeignKey(ReplayRun, models.CASCADE, related_name="findings", db_index=False)
    kind = models.CharField(_("kind"), max_length=20)
    key = models.CharField(_("key"), max_length=64)
    """A digest of what makes it one finding: the reason, or the actor."""
    count = models.BigIntegerField(_("count"))
    position = models.BigIntegerField(_("position"), default=0)
    """Where the first of the events is."""
    detail = models.TextField(_("detail"))
    """JSON."""

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("replay finding")
        verbose_name_plural = _("replay findings")
        constraints = (
            models.UniqueConstraint(fields=("run", "kind", "key"), name="eventstore_finding_once"),
        )

    def __str__(self) -> str:
        return f"{self.run}: {self.kind}"
