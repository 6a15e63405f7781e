"""The hash ring and the shard manager: fixed answers, balance, minimal movement."""

from __future__ import annotations

import sys
import threading
from collections import Counter

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given, settings
from hypothesis import strategies as st

from django_eventstore import sharding
from django_eventstore.sharding import HashRing, HashRingConfig, ShardConfig, ShardManager

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
# The names that people give: a common stem and a number.
numbered = st.builds(
    lambda stem, first: [f"{stem}{first + i}" for i in range(10)],
    st.sampled_from(["node-", "worker", "10.0.0.", "events-eu-west-1-"]),
    st.integers(0, 10**9),
)
ten_nodes = numbered | st.lists(names, min_size=10, max_size=10, unique=True)
keys = st.text(st.characters(exclude_categories=["Cs"]))

KEYS = [f"actor-{i}" for i in range(20_000)]
SMALL = HashRingConfig(virtual_nodes=3)

# Whoever changes an answer moves the data of everybody who upgrades.
VECTORS = [
    # key, shard of 1024, nodes of {alpha, beta, gamma} clockwise
    ("order-1", 396, ["alpha", "beta", "gamma"]),
    ("user:42", 354, ["gamma", "beta", "alpha"]),
    ("a", 458, ["gamma", "alpha", "beta"]),
    ("ключ", 416, ["alpha", "beta", "gamma"]),
    ("💡", 214, ["gamma", "beta", "alpha"]),
]


@pytest.fixture
def eight_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crowd all points of every ring on 8 positions, so that most of them collide."""
    original = sharding._virtual_node_positions
    monkeypatch.setattr(
        sharding,
        "_virtual_node_positions",
        lambda digest: tuple(position >> 61 << 61 for position in original(digest)),
    )


class TestConfig:
    def test_defaults(self) -> None:
        assert HashRingConfig().virtual_nodes == 150
        assert ShardConfig().shard_count == 1024
        assert ShardConfig().replication_factor == 1

    @pytest.mark.parametrize("absent", [0, None])
    def test_zero_or_none_means_the_default(self, absent: int | None) -> None:
        assert HashRingConfig(virtual_nodes=absent) == HashRingConfig()
        assert ShardConfig(shard_count=absent, replication_factor=absent) == ShardConfig()

    @pytest.mark.parametrize("bad", [-1, 1.0, "150", True, False])
    @pytest.mark.parametrize(
        ("config", "field"),
        [
            (HashRingConfig, "virtual_nodes"),
            (ShardConfig, "shard_count"),
            (ShardConfig, "replication_factor"),
        ],
    )
    def test_anything_else_is_refused_by_name(self, config, field, bad) -> None:
        with pytest.raises(ImproperlyConfigured, match=field):
            config(**{field: bad})

    def test_with_config(self) -> None:
        ring = HashRing.with_config(SMALL, ["a"])
        assert (ring.config, ring.nodes) == (SMALL, ["a"])
        config = ShardConfig(shard_count=64, replication_factor=2)
        nodes = ["a", "b", "c"]
        manager = ShardManager.with_config(config, nodes, ring_config=SMALL)
        assert (manager.config, manager.nodes) == (config, nodes)
        owners = [manager.get_shard_nodes(shard) for shard in range(64)]
        assert {len(found) for found in owners} == {2}
        default = ShardManager.with_config(config, nodes)
        assert owners != [default.get_shard_nodes(shard) for shard in range(64)]

    def test_virtual_nodes_are_used(self) -> None:
        rings = [HashRing(["a", "b"], HashRingConfig(number)) for number in (1, 2, 150)]
        assert len({tuple(map(ring.get_node, KEYS[:99])) for ring in rings}) == 3


class TestFixedAnswers:
    @pytest.mark.parametrize(("key", "shard", "nodes"), VECTORS)
    def test_ring(self, key: str, shard: int, nodes: list[str]) -> None:
        ring = HashRing(["alpha", "beta", "gamma"])
        assert ring.get_nodes(key, 3) == nodes
        assert ring.get_node(key) == nodes[0]

    @pytest.mark.parametrize(("key", "shard", "nodes"), VECTORS)
    def test_shard(self, key: str, shard: int, nodes: list[str]) -> None:
        assert ShardManager().get_shard(key) == shard

    def test_owners_of_shards(self) -> None:
        manager = ShardManager(["alpha", "beta", "gamma"])
        initials = "".join(manager.get_shard_nodes(shard)[0][0] for shard in range(32))
        assert initials == "gaaggababbgaggagagbabagaabgbggbg"


class TestRing:
    def test_empty(self) -> None:
        ring = HashRing()
        assert ring.is_empty
        assert not ring
        assert ring.nodes == []
        assert ring.get_node("key") is None
        assert ring.get_nodes("key", 2) == []

    def test_membership(self) -> None:
        ring = HashRing(["b", "a", "b"])
        ring.add_node("c")
        ring.add_node("c")
        ring.remove_node("a")
        ring.remove_node("stranger")
        assert ring.nodes == list(ring) == ["b", "c"]
        assert len(ring) == 2
        assert not ring.is_empty
        assert "c" in ring
        assert "a" not in ring
        ring.remove_node("b")
        ring.remove_node("c")
        assert ring.is_empty
        assert ring.get_node("key") is None

    @settings(deadline=None)
    @given(st.sets(names, max_size=6), keys, st.integers(0, 8))
    def test_get_nodes_are_distinct_and_start_with_the_owner(self, nodes, key, count) -> None:
        ring = HashRing(nodes, SMALL)
        found = ring.get_nodes(key, count)
        assert len(found) == len(set(found)) == min(count, len(nodes))
        assert set(found) <= nodes
        assert found[:1] == ([ring.get_node(key)] if nodes and count else [])

    @settings(deadline=None)
    @given(st.sets(names, min_size=2, max_size=6), keys)
    def test_the_next_node_takes_over_from_one_that_goes(self, nodes, key) -> None:
        ring = HashRing(nodes, SMALL)
        first, *others = ring.get_nodes(key, len(nodes))
        ring.remove_node(first)
        assert ring.get_nodes(key, len(nodes)) == others

    @settings(deadline=None)
    @given(st.permutations(["a", "b", "c", "d", "e", "f"]), st.sets(names, max_size=3))
    def test_only_the_set_of_nodes_counts(self, nodes, passing) -> None:
        passing -= set(nodes)
        ring = HashRing(passing, SMALL)
        for node in nodes:
            ring.add_node(node)
        for node in passing:
            ring.remove_node(node)
        expected = HashRing(sorted(nodes), SMALL)
        for key in KEYS[:200]:
            assert ring.get_nodes(key, 6) == expected.get_nodes(key, 6)

    @pytest.mark.usefixtures("eight_positions")
    def test_only_the_set_of_nodes_counts_where_points_collide(self) -> None:
        forward, backward = HashRing(list("abcdef")), HashRing()
        for node in "zfedcba":
            backward.add_node(node)
        backward.remove_node("z")
        for key in KEYS[:200]:
            assert forward.get_nodes(key, 6) == backward.get_nodes(key, 6)
        # The first of the colliding nodes has them all; the next one inherits them.
        assert {forward.get_node(key) for key in KEYS[:200]} == {"a"}
        forward.remove_node("a")
        assert {forward.get_node(key) for key in KEYS[:200]} == {"b"}

    @settings(max_examples=60, deadline=None)
    @given(ten_nodes)
    def test_balance(self, nodes: list[str]) -> None:
        ring = HashRing(nodes)
        shares = Counter(map(ring.get_node, KEYS))
        assert max(shares.values()) <= 1.25 * len(KEYS) / 10
        assert min(shares[node] for node in nodes) >= 0.75 * len(KEYS) / 10

    @settings(max_examples=40, deadline=None)
    @given(ten_nodes, st.integers(1, 9))
    def test_adding_a_node_moves_its_share_and_nothing_else(self, nodes, n) -> None:
        *before, new = nodes[: n + 1]
        ring = HashRing(before)
        old = list(map(ring.get_node, KEYS))
        ring.add_node(new)
        now = list(map(ring.get_node, KEYS))
        moved = [to for was, to in zip(old, now, strict=True) if was != to]
        assert set(moved) == {new}
        assert 0.75 <= len(moved) / len(KEYS) * (n + 1) <= 1.25
        ring.remove_node(new)
        assert list(map(ring.get_node, KEYS)) == old

    def test_names_are_told_apart_code_point_by_code_point(self) -> None:
        nodes = ["é", "e\u0301", "E", "e", " e", "1:e"]
        assert len(HashRing(nodes)) == 6
        assert set(map(HashRing(nodes).get_node, KEYS[:500])) == set(nodes)

    def test_a_config_in_the_place_of_the_nodes_is_named(self) -> None:
        for make in (lambda: HashRing(SMALL), lambda: ShardManager(ShardConfig())):
            with pytest.raises(TypeError, match=r"names of the nodes, got .*Config\(.*config="):
                make()

    def test_what_is_no_name_or_key_is_refused(self) -> None:
        ring = HashRing(["a"])
        with pytest.raises(TypeError, match="several names"):
            HashRing("node")
        with pytest.raises(TypeError, match="must be text, got 7"):
            ring.add_node(7)
        with pytest.raises(ValueError, match="must not be empty"):
            ring.add_node("")
        with pytest.raises(ValueError, match="surrogates"):
            ring.add_node("\ud800")
        with pytest.raises(TypeError, match="expected text, got b'key'"):
            ring.get_node(b"key")
        with pytest.raises(ValueError, match="negative"):
            ring.get_nodes("key", -1)
        assert ring.nodes == ["a"]

    def test_readers_see_the_ring_before_or_after_a_change(self) -> None:
        ring = HashRing(["a", "b"], SMALL)
        before = {key: ring.get_nodes(key, 3) for key in KEYS[:300]}
        ring.add_node("c")
        after = {key: ring.get_nodes(key, 3) for key in KEYS[:300]}
        done = threading.Event()
        wrong: list[object] = []

        def read() -> None:
            try:
                while not done.is_set():
                    for key, first in before.items():
                        seen = ring.get_nodes(key, 3)
                        if seen not in (first, after[key]):
                            wrong.append((key, seen))
            except Exception as error:
                wrong.append(error)

        readers = [threading.Thread(target=read) for _ in range(3)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            for reader in readers:
                reader.start()
            for _ in range(300):
                ring.remove_node("c")
                ring.add_node("c")
        finally:
            done.set()
            for reader in readers:
                reader.join()
            sys.setswitchinterval(interval)
        assert wrong == []

    def test_no_change_is_lost_between_threads(self) -> None:
        ring = HashRing(config=SMALL)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            writers = [
                threading.Thread(
                    target=lambda first: [ring.add_node(f"{first}-{i}") for i in range(20)],
                    args=(first,),
                )
                for first in range(8)
            ]
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join()
        finally:
            sys.setswitchinterval(interval)
        assert len(ring) == 160


class TestShardManager:
    @settings(deadline=None)
    @given(keys.filter(bool), st.integers(1, 5000))
    def test_a_shard_is_within_range_and_needs_no_nodes(self, actor_id, shard_count) -> None:
        config = ShardConfig(shard_count)
        assert 0 <= ShardManager((), config).get_shard(actor_id) < shard_count

    def test_actors_spread_evenly_over_shards(self) -> None:
        manager = ShardManager(config=ShardConfig(shard_count=16))
        sizes = Counter(map(manager.get_shard, KEYS))
        assert len(sizes) == 16
        assert max(sizes.values()) <= 1.25 * len(KEYS) / 16

    def test_without_nodes_there_are_no_owners(self) -> None:
        manager = ShardManager()
        assert manager.nodes == []
        assert manager.get_shard_nodes(0) == []
        assert manager.place_actor("a") == (458, [])
        assert manager.shards_of("a") == []

    @pytest.mark.parametrize(("factor", "owners"), [(0, 1), (1, 1), (2, 2), (3, 3), (5, 3)])
    def test_owners_are_as_many_as_asked_for_or_as_there_are(self, factor, owners) -> None:
        manager = ShardManager(["a", "b", "c"], ShardConfig(64, factor))
        for shard_id in range(64):
            found = manager.get_shard_nodes(shard_id)
            assert len(found) == len(set(found)) == owners
            assert set(found) <= {"a", "b", "c"}

    def test_the_answers_agree_with_each_other(self) -> None:
        manager = ShardManager(["a", "b", "c", "d"], ShardConfig(replication_factor=2))
        for actor_id in KEYS[:200]:
            placement = manager.place_actor(actor_id)
            assert placement.shard_id == manager.get_shard(actor_id)
            assert placement.nodes == manager.get_actor_nodes(actor_id)
            assert placement.nodes == manager.get_shard_nodes(placement.shard_id)
        for node in manager.nodes:
            assert manager.shards_of(node) == [
                shard for shard in range(1024) if node in manager.get_shard_nodes(shard)
            ]
        assert manager.shards_of("stranger") == []

    def test_callers_cannot_change_the_owners(self) -> None:
        manager = ShardManager(["a", "b"])
        owners = manager.get_shard_nodes(0)
        expected = list(owners)
        owners.clear()
        moves = manager.moves_for([])
        moves[0].old.clear()
        assert manager.get_shard_nodes(0) == expected

    def test_four_workers_share_1024_shards(self) -> None:
        manager = ShardManager([f"worker-{i}" for i in range(4)])
        sizes = [len(manager.shards_of(node)) for node in manager.nodes]
        assert sum(sizes) == 1024
        assert max(sizes) <= 1.25 * 256

    @settings(max_examples=40, deadline=None)
    @given(ten_nodes, st.integers(0, 9), st.integers(1, 3))
    def test_a_new_node_takes_shards_and_no_other_does(self, nodes, n, factor) -> None:
        *before, new = nodes[: n + 1]
        manager = ShardManager(before, ShardConfig(256, factor))
        was = {shard: manager.get_shard_nodes(shard) for shard in range(256)}
        planned = manager.moves_for([new, *before])
        assert {shard: manager.get_shard_nodes(shard) for shard in range(256)} == was
        moves = manager.add_node(new)
        assert moves == planned
        assert list(moves) == manager.shards_of(new)
        for shard in range(256):
            now = manager.get_shard_nodes(shard)
            if shard in moves:
                assert moves[shard] == (was[shard], now)
                # The others keep their order; the last makes room.
                others = [node for node in now if node != new]
                assert others == was[shard][: len(others)]
            else:
                assert now == was[shard]
        back = manager.remove_node(new)
        assert back == {shard: (move.new, move.old) for shard, move in moves.items()}
        assert manager.nodes == sorted(before)

    def test_about_one_nth_of_the_shards_moves(self) -> None:
        manager = ShardManager([f"node-{i}" for i in range(9)], ShardConfig(shard_count=8192))
        assert len(manager.add_node("node-9")) == pytest.approx(819.2, rel=0.25)

    def test_no_change_moves_nothing(self) -> None:
        manager = ShardManager(["a", "b"])
        assert manager.add_node("a") == {}
        assert manager.remove_node("stranger") == {}
        assert manager.moves_for(["b", "a"]) == {}

    def test_what_does_not_exist_is_refused(self) -> None:
        manager = ShardManager(["a"], ShardConfig(shard_count=8))
        for actor in (manager.get_shard, manager.get_actor_nodes, manager.place_actor):
            with pytest.raises(ValueError, match="actor_id must not be empty"):
                actor("")
            with pytest.raises(TypeError, match="expected text, got None"):
                actor(None)
        for shard_id in (-1, 8):
            with pytest.raises(ValueError, match=f"from 0 to 7, got {shard_id}"):
                manager.get_shard_nodes(shard_id)
        for not_a_shard in ("1", 1.0, True, None):
            with pytest.raises(TypeError, match="shard_id must be an int"):
                manager.get_shard_nodes(not_a_shard)
        with pytest.raises(ValueError, match="must not be empty"):
            manager.add_node("")
        with pytest.raises(TypeError, match="several names"):
            manager.moves_for("node")
        assert manager.nodes == ["a"]
