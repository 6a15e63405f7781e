"""EventStore: the facade, the same for every backend.

It validates, merges metadata, settles retries, sends signals, and leaves storing to the primitives
of its ``backend`` (``backends/base.py``). Each method that may wait for a server has an
asynchronous twin, named with an ``a`` in front, which says and does the same. Where they are:

base.py         alias, namespace, backend, with_namespace(), setup(), check(), describe(), close()
saving.py       save_event(), save_events()
updating.py     update()
reading.py      get_events(), iter_events(), both also …_with_errors(); get_latest_version()
replaying.py    replay()
snapshots.py    save_snapshot(), delete_snapshots(), get_latest_snapshot(),
                iter_snapshots_with_errors(), get_snapshot_versions()
reading_all.py  read_all(), read_all_with_errors(), subscribe()
lookups.py      get_actors(), iter_actors(), get_actor_summaries(), get_event(),
                get_event_with_errors(), get_event_by_id(), count_events(), last_position(),
                get_statistics()
"""

from __future__ import annotations

from .arguments import MUST_EXIST
from .lookups import Lookups
from .reading import ActorReading
from .reading_all import StoreReading
from .replaying import Replaying
from .saving import Saving
from .snapshots import Snapshots
from .updating import Updating

__all__ = ["MUST_EXIST", "EventStore"]


class EventStore(Updating, Saving, Replaying, Snapshots, ActorReading, StoreReading, Lookups):
    """An append-only history per actor, with versions and optimistic concurrency.

    Get one from ``event_stores["alias"]`` (or use ``event_store``, the default one). A store
    object is cheap and belongs to one thread or task; what several share (connections, data in
    memory, the version cache) is kept per process and is safe to share.

    Args:
        alias: the name in ``EVENT_STORES``, or None for a store made by hand.
        namespace: text, or a callable without arguments that returns it, called for each
            operation.
        **options: the fields of the backend's ``options_class``.

    Raises:
        ImproperlyConfigured: an option is unknown or wrong.
    """
