"""A store in memory in which events can be made malformed."""

from __future__ import annotations

from django_eventstore.backends.memory import InMemoryEventStore, MemoryBackend
from django_eventstore.events import ReplayError

# What lies in memory is always well-formed. So that the facade's handling of malformed events is
# tested without a server too, what is named here is read as if it were not: by the event's id or
# the snapshot's (namespace, actor id, version), to the raw content.
corrupted: dict[object, bytes] = {}


class CorruptibleBackend(MemoryBackend):
    def read_actor(self, namespace, actor_id, selected):
        rows = super().read_actor(namespace, actor_id, _unlimited(selected))
        return _limited(map(_seen, rows), selected.limit)

    def read_store(self, namespace, selected):
        rows = super().read_store(namespace, _unlimited(selected))
        return _limited(map(_seen, rows), selected.limit)

    def event_at(self, namespace, position):
        event = super().event_at(namespace, position)
        return event and _seen(event)

    def read_snapshots(self, namespace, actor_id, max_version):
        for snapshot in super().read_snapshots(namespace, actor_id, max_version):
            raw = corrupted.get((namespace, actor_id, snapshot.version))
            if raw is None:
                yield snapshot
            else:
                yield ReplayError(None, raw, ValueError("not JSON"), actor_id)


class CorruptibleMemoryStore(InMemoryEventStore):
    backend_class = CorruptibleBackend


def _unlimited(selected):
    return type(selected)(
        **{
            name: None if name == "limit" else getattr(selected, name)
            for name in selected.__dataclass_fields__
        }
    )


def _seen(event):
    raw = corrupted.get(event.id)
    if raw is None:
        return event
    return ReplayError(event.position, raw, ValueError("not an event"), event.actor_id)


def _limited(items, limit):
    left = limit
    for item in items:
        yield item
        if left is not None and not isinstance(item, ReplayError):
            left -= 1
            if left == 0:
                return
