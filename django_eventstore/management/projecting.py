"""Naming a projection on the command line."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

from ..projections import Projection, get_projection
from .base import WRONG_ARGUMENTS


def named_projection(name: str) -> Projection:
    """Return the projection of that name, or end the command: a wrong argument."""
    try:
        return get_projection(name)
    except ImproperlyConfigured as error:
        raise CommandError(str(error), returncode=WRONG_ARGUMENTS) from error
