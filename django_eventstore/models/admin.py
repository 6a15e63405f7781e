"""The permissions that the admin's pages ask for."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class EventStore(models.Model):
    """Has no table: holds the permissions for the admin's pages, which read the stores."""

    class Meta:
        managed = False
        default_permissions = ("view",)
        permissions = (
            ("view_payload", "Can view the data of events, states and raw content"),
            ("view_redacted", "Can view redacted values (each view is logged)"),
            ("skip_malformedevent", "Can mark malformed events as skipped"),
        )
        verbose_name = _("event store")
        verbose_name_plural = _("event stores")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
