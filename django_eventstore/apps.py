"""The Django application."""

from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _


class EventStoreConfig(AppConfig):
    name = "django_eventstore"
    verbose_name = _("Event store")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from .checks import check_durability, check_event_stores

        checks.register(check_event_stores, "event_stores")
        checks.register(check_durability, "event_stores", deploy=True)
