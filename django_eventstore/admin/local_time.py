"""Points in time as the project's time zone has them."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone


def local(timestamp: datetime) -> datetime:
    """Return an aware point in time in the current time zone.

    At the ends of the calendar, which programs like for "always" and "never", another zone would
    be in the year 0 or 10000: there it stays as it is.
    """
    try:
        return timezone.localtime(timestamp)
    except OverflowError:
        return timestamp
