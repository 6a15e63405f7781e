"""Projections: what an application keeps about its events, each event applied exactly once."""

from .registry import Projection, get_projection, get_projections, projection, register
from .worker import ProjectionWorker

__all__ = [
    "Projection",
    "ProjectionWorker",
    "get_projection",
    "get_projections",
    "projection",
    "register",
]
