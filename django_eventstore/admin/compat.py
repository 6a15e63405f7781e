"""What differs between the versions of Django."""

import django

BREADCRUMBS_ARE_LISTS = django.VERSION >= (6, 1)
"""Whether the admin's breadcrumbs are an ordered list, and no text with arrows."""
