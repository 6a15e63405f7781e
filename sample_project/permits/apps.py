"""The application."""

from django.apps import AppConfig

from django_eventstore import register_fold


class PermitsConfig(AppConfig):
    name = "permits"

    def ready(self) -> None:
        from .state import INITIAL, apply

        # The admin and the management commands show the state of an application with it.
        register_fold("application-", apply, initial=INITIAL)
