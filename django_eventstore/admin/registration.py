"""The two entries of the admin's index."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core import checks
from django.http import HttpRequest
from django.urls import URLPattern

from ..models import EventStore, SkippedEvent
from .access import Access
from .options import check_admin_options
from .redaction import Redaction
from .urls import addresses

checks.register(check_admin_options, "event_stores")


class _ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(EventStore)
class EventStoreAdmin(_ReadOnly):
    """The pages about stores; they read through the facade, not through a model."""

    def get_urls(self) -> list[URLPattern]:
        return addresses(self.admin_site)


@admin.register(SkippedEvent)
class SkippedEventAdmin(_ReadOnly):
    """The record of skipped events."""

    list_display = ("skipped_at", "store", "namespace", "position", "actor_id", "reason", "user")
    list_filter = ("store", "namespace")
    search_fields = ("actor_id", "reason", "user")
    actions = None

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Leave out what was wrong, which may quote data, for who may not see that.

        It may be older than the settings that redact the data now.
        """
        access = Access(request)
        hides = Redaction(access.options).configured
        return ("problem",) if hides or not access.sees_payload else ()
