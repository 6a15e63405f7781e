"""Which malformed events somebody marked as skipped."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..events.namespaces import MAX_NAMESPACE_BYTES
from ..events.validation import MAX_TEXT_LENGTH
from .fields import CodePointField


class SkippedEvent(models.Model):
    """The record that somebody marked a malformed event as skipped. The event itself stays."""

    store = CodePointField(_("store"), max_length=MAX_TEXT_LENGTH)
    namespace = CodePointField(_("namespace"), max_length=MAX_NAMESPACE_BYTES, blank=True)
    position = models.BigIntegerField(_("position"))
    actor_id = CodePointField(_("actor"), max_length=MAX_TEXT_LENGTH, blank=True)
    problem = models.TextField(_("problem"))
    reason = models.TextField(_("reason"))
    # By name, not by key: the record outlives the user's account.
    user = models.CharField(_("user"), max_length=255)
    skipped_at = models.DateTimeField(_("skipped at"), auto_now_add=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("-skipped_at", "-id")
        verbose_name = _("skipped event")
        verbose_name_plural = _("skipped events")
        constraints = (
            models.UniqueConstraint(
                fields=("store", "namespace", "position"), name="eventstore_skipped_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.store} {self.position}"
