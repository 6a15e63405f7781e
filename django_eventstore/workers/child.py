"""The start of a new process that uses Django: this module can be imported before it is set up."""

from __future__ import annotations

import pickle

import django
from django.core.exceptions import ImproperlyConfigured

from ..exceptions import EventStoreError


def run(pickled: bytes) -> None:
    """Set Django up, and call what was pickled: loading that may import models.

    An error that says by itself what is wrong ends the process with status 1, and no traceback.
    """
    django.setup()
    try:
        pickle.loads(pickled)()  # noqa: S301 - from our parent
    except (EventStoreError, ImproperlyConfigured) as error:
        raise SystemExit(str(error)) from error
