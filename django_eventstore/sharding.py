"""Consistent hashing: which node a key belongs to, and which nodes own a shard.

`HashRing` maps any text to a node; `ShardManager` maps an actor to one of a fixed number of
shards, and each shard to its owners. Both are pure arithmetic on names: nothing is stored and
nothing is asked of a network, so every process that is given the same node names and the same
config comes to the same answer, on any machine and any Python version.

The algorithm is consistent hashing (Karger et al., "Consistent Hashing and Random Trees", STOC
1997) with virtual nodes (Stoica et al., "Chord", SIGCOMM 2001) and several ring points from one
digest (R. Jones, libketama, 2007).
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from dataclasses import dataclass
from hashlib import sha256, sha512
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, Self

from .backends.options import Options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The first 64 bits of a SHA-256 place a key. SHA-2 because it is the same everywhere, allowed on
# FIPS builds, and as fast here as anything else in hashlib (most of the time is the call).
_key_position = Struct(">Q").unpack_from

# A whole SHA-512 places a virtual node: eight points. With one point for each of 150 virtual
# nodes a share has a standard deviation of 8 %, and 1.2 % of all sets of ten nodes have a node
# above 1.25 of the mean; with eight it is 2.9 %, and 1.25 is more than eight deviations away.
_virtual_node_positions = Struct(">8Q").unpack


@dataclass(frozen=True, slots=True)
class HashRingConfig(Options):
    """How a `HashRing` is laid out.

    `virtual_nodes`: virtual nodes for each node, 150 by default. More of them make the shares
    more even, and the ring larger: a virtual node is eight points, about 50 bytes each.

    Zero (or `None`) means the default. Raises `ImproperlyConfigured` for anything else that is
    not a positive `int`. Every process that shares work must use the same value.
    """

    virtual_nodes: int = 150


@dataclass(frozen=True, slots=True)
class ShardConfig(Options):
    """How a `ShardManager` divides actors.

    `shard_count`: number of shards, 1024 by default. Changing it moves nearly every actor to
    another shard. `replication_factor`: owners of each shard, 1 by default.

    Zero (or `None`) means the default. Raises `ImproperlyConfigured` for anything else that is
    not a positive `int`. Every process that shares work must use the same values.
    """

    shard_count: int = 1024
    replication_factor: int = 1


class ActorPlacement(NamedTuple):
    """Where an actor lives: its shard, and the shard's owners, the primary first."""

    shard_id: int
    nodes: list[str]


class ShardMove(NamedTuple):
    """The owners of a shard before and after a change of nodes, the primary first."""

    old: list[str]
    new: list[str]


class _Points(NamedTuple):
    """A ring that never changes: point i, at `positions[i]`, belongs to `owners[i]`."""

    nodes: frozenset[str]
    positions: list[int]
    owners: list[str]


class HashRing:
    """A consistent-hashing ring of named nodes.

    A key belongs to the node whose point is the first at or after the key's own position,
    clockwise. The ring depends on the *set* of nodes alone, not on the order in which they came
    and went. Adding a node to n moves about 1/(n+1) of the keys, all of them to the new node;
    removing a node moves its keys alone.

    Measured with the default config over 5,000 random sets of ten nodes: the largest share of the
    ring was 1.05 of the mean on average and 1.12 at worst; over 2,000 changes from ten nodes to
    eleven, the part that moved was between 0.91 and 1.10 of 1/11.

    `nodes`: the names of the nodes, non-empty text; a name given twice counts once.

    Thread-safe. A change builds a new table and puts it in place in one assignment, so a lookup
    sees the ring as it was before a change or as it is after it, never between, and takes no
    lock. Changes wait for each other. Two lookups may see two different rings.

    Raises `TypeError` for a node or key that is not text and `ValueError` for an empty node name
    or for text that UTF-8 cannot encode (lone surrogates).
    """

    def __init__(self, nodes: Iterable[str] = (), config: HashRingConfig | None = None) -> None:
        self.config = HashRingConfig() if config is None else config
        self._lock = threading.Lock()
        self._points = _Points(frozenset(), [], [])
        self._points = self._lay_out(_node_names(nodes))

    @classmethod
    def with_config(cls, config: HashRingConfig, nodes: Iterable[str] = ()) -> Self:
        """Return a ring laid out by `config`."""
        return cls(nodes, config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} nodes, {self.config}>"

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self._points.nodes)

    def __contains__(self, node: object) -> bool:
        return node in self._points.nodes

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    @property
    def nodes(self) -> list[str]:
        """The names of the nodes, sorted."""
        return sorted(self._points.nodes)

    @property
    def is_empty(self) -> bool:
        """Whether the ring has no nodes."""
        return not self._points.nodes

    def add_node(self, node: str) -> None:
        """Add a node; a node that is there already stays as it is."""
        names = _node_names([node])
        with self._lock:
            self._points = self._lay_out(self._points.nodes | names)

    def remove_node(self, node: str) -> None:
        """Remove a node; a node that is not there is no error."""
        with self._lock:
            self._points = self._lay_out(self._points.nodes - {node})

    def get_node(self, key: str) -> str | None:
        """Return the node that `key` belongs to, or `None` on an empty ring."""
        points = self._points
        if not points.nodes:
            return None
        index = bisect_left(points.positions, _position(key))
        # Past the last point the ring begins again.
        return points.owners[index] if index < len(points.owners) else points.owners[0]

    def get_nodes(self, key: str, count: int) -> list[str]:
        """Return the first `count` distinct nodes clockwise from `key`; the first is `get_node`'s.

        Returns every node there is where there are fewer. Raises `ValueError` for a negative
        count.
        """
        if count < 0:
            raise ValueError(f"count must not be negative, got {count}")
        _, positions, owners = points = self._points
        wanted = min(count, len(points.nodes))
        start = bisect_left(positions, _position(key))
        found: dict[str, None] = {}  # a set that keeps its order
        index = start
        while len(found) < wanted:
            found[owners[index % len(owners)]] = None
            index += 1
        return list(found)

    def _lay_out(self, nodes: frozenset[str]) -> _Points:
        points = self._points
        entries = [
            (position, owner)
            for position, owner in zip(points.positions, points.owners, strict=True)
            if owner in nodes
        ]
        entries += [
            (position, name)
            for name in nodes - points.nodes
            for number in range(self.config.virtual_nodes)
            # The number comes first and ends at the colon, so no two names can meet.
            for position in _virtual_node_positions(sha512(f"{number}:{name}".encode()).digest())
        ]
        # Points of two nodes at one position are all kept, in the order of the names: the first
        # wins whoever came first, and the other takes over when it goes.
        entries.sort()
        # Two lists rather than one of pairs: bisect compares plain integers, several times faster.
        positions = [position for position, _ in entries]
        return _Points(nodes, positions, [owner for _, owner in entries])


class ShardManager:
    """Divides actors into shards and gives each shard its owners.

    An actor's shard depends on its id and the shard count alone. A shard's owners are the first
    `replication_factor` nodes clockwise from it on a `HashRing`, the primary first, or every node
    where there are fewer. So adding a node to n moves about 1/(n+1) of the shards, all of them to
    the new node, and removing a node moves its shards alone.

    Whole shards are dealt out less evenly than keys, because there are fewer of them. The busiest
    node's shards as a ratio of the mean, on average (and at worst) over 500 to 3,000 random sets
    of nodes each, default ring:

    ============  ============  ============
    nodes         1,024 shards  4,096 shards
    ============  ============  ============
    4             1.07 (1.24)   1.04 (1.14)
    10            1.16 (1.43)   1.09 (1.20)
    32            1.39 (1.84)   1.20 (1.48)
    ============  ============  ============

    With 1,024 shards 6 % of the sets of ten nodes have a node above 1.25: beyond about eight nodes
    choose more shards, at the start. A cap on each node's shards (bounded loads, Mirrokni et al.,
    2018) would hold 1.25 always, and was not taken: at a change of nodes it also moves shards
    between nodes that stay.

    `nodes`: the names of the nodes, as for `HashRing`. `ring_config`: the ring's layout.

    Thread-safe, as `HashRing` is: each call sees the nodes as they were before a change or as
    they are after it, and takes no lock to read. This is one process's view of who *should* own
    a shard; it holds no lease and tells no other process.
    """

    def __init__(
        self,
        nodes: Iterable[str] = (),
        config: ShardConfig | None = None,
        *,
        ring_config: HashRingConfig | None = None,
    ) -> None:
        self.config = ShardConfig() if config is None else config
        self._ring = HashRing(nodes, ring_config)
        self._lock = threading.Lock()
        self._owners = self._assign(self._ring)

    @classmethod
    def with_config(
        cls,
        config: ShardConfig,
        nodes: Iterable[str] = (),
        *,
        ring_config: HashRingConfig | None = None,
    ) -> Self:
        """Return a manager with the shards and replication of `config`."""
        return cls(nodes, config, ring_config=ring_config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._ring)} nodes, {self.config}>"

    @property
    def nodes(self) -> list[str]:
        """The names of the nodes, sorted."""
        return self._ring.nodes

    def get_shard(self, actor_id: str) -> int:
        """Return the actor's shard, from 0 to `shard_count` - 1.

        Raises `ValueError` for an empty id, `TypeError` for one that is not text.
        """
        if actor_id == "":
            raise ValueError("actor_id must not be empty")
        return _position(actor_id) % self.config.shard_count

    def get_shard_nodes(self, shard_id: int) -> list[str]:
        """Return the shard's owners, the primary first; without nodes the list is empty.

        Raises `ValueError` for a shard that does not exist, `TypeError` for one that is not an
        `int`.
        """
        if type(shard_id) is not int:
            raise TypeError(f"shard_id must be an int, got {shard_id!r}")
        if not 0 <= shard_id < self.config.shard_count:
            raise ValueError(
                f"shard_id must be from 0 to {self.config.shard_count - 1}, got {shard_id}"
            )
        return list(self._owners[shard_id])

    def get_actor_nodes(self, actor_id: str) -> list[str]:
        """Return the owners of the actor's shard, the primary first. Raises as `get_shard`."""
        return self.get_shard_nodes(self.get_shard(actor_id))

    def place_actor(self, actor_id: str) -> ActorPlacement:
        """Return the actor's shard together with its owners. Raises as `get_shard`."""
        shard_id = self.get_shard(actor_id)
        return ActorPlacement(shard_id, self.get_shard_nodes(shard_id))

    def shards_of(self, node: str) -> list[int]:
        """Return the shards that `node` owns, as primary or as replica, in ascending order.

        Returns an empty list for a node that is not there.
        """
        return [shard_id for shard_id, owners in enumerate(self._owners) if node in owners]

    def add_node(self, node: str) -> dict[int, ShardMove]:
        """Add a node and return what moves: shard id -> owners before and after.

        Adding a node that is there already moves nothing.
        """
        with self._lock:
            return self._change([*self.nodes, node])

    def remove_node(self, node: str) -> dict[int, ShardMove]:
        """Remove a node and return what moves: shard id -> owners before and after.

        Removing a node that is not there moves nothing.
        """
        with self._lock:
            return self._change(name for name in self.nodes if name != node)

    def moves_for(self, nodes: Iterable[str]) -> dict[int, ShardMove]:
        """Return what would move if `nodes` were the nodes, and change nothing."""
        return _moves(self._owners, self._assign(HashRing(nodes, self._ring.config)))

    def _change(self, nodes: Iterable[str]) -> dict[int, ShardMove]:
        ring = HashRing(nodes, self._ring.config)
        before, after = self._owners, self._assign(ring)
        self._ring, self._owners = ring, after
        return _moves(before, after)

    def _assign(self, ring: HashRing) -> list[list[str]]:
        # Worked out for all shards at once: a change is rare, a lookup is not.
        replicas = self.config.replication_factor
        return [
            ring.get_nodes(f"shard:{shard_id}", replicas)
            for shard_id in range(self.config.shard_count)
        ]


def _position(key: str) -> int:
    try:
        position: int = _key_position(sha256(key.encode()).digest())[0]
    except AttributeError:
        raise TypeError(f"expected text, got {key!r}") from None
    return position


def _node_names(nodes: Iterable[str]) -> frozenset[str]:
    if isinstance(nodes, str):
        raise TypeError(f"nodes must be several names, not one text: {nodes!r}")
    if isinstance(nodes, Options):
        raise TypeError(
            f"nodes must be the names of the nodes, got {nodes!r}; give that as config=..., or "
            f"use with_config()"
        )
    names = frozenset(nodes)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"a node must be text, got {name!r}")
        if not name:
            raise ValueError("the name of a node must not be empty")
    return names


def _moves(before: list[list[str]], after: list[list[str]]) -> dict[int, ShardMove]:
    return {
        shard_id: ShardMove(list(old), list(new))
        for shard_id, (old, new) in enumerate(zip(before, after, strict=True))
        if old != new
    }
