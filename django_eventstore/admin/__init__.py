"""The admin: browse any store, actor by actor. Nothing here changes a store."""

from django.apps import apps

# The template tags are loaded, and with them this package, in a project without the admin too.
if apps.is_installed("django.contrib.admin"):
    from . import registration as registration
