"""Events in NATS JetStream: one server or a replicated cluster; ``backend.py`` is the way in."""

try:
    import nats  # noqa: F401
    import nkeys  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "nats-py or nkeys is not installed; run: "
        "python -m pip install 'django-eventstore[jetstream]'",
        name=error.name,
    ) from error

from .config import JetStreamConfig
from .store import JetStreamEventStore

__all__ = ["JetStreamConfig", "JetStreamEventStore"]
