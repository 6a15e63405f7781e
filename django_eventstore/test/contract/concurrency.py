"""Many writers: threads and processes, on one actor and on many."""

from __future__ import annotations

import multiprocessing
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from threading import Barrier
from typing import Any
from unittest import SkipTest

from django.db import connections

from ...events import Event
from ...exceptions import VersionConflictError
from ...store import EventStore
from . import processes
from .base import ContractBase, check_ascending, raises

THREADS = 8
PROCESSES = 4
TIMEOUT = 60
"""Seconds after which writers that wait for each other are taken for stuck."""


class Concurrency(ContractBase):
    """Exactly one winner a version, nothing acknowledged lost, nobody in the way of others."""

    # Which events of an actor each writer saves, in these tests.
    each_saves = 10

    def in_threads(self, work: Callable[[EventStore, int], Any]) -> list[Any]:
        """Call ``work`` with a store object and a number in 8 threads at once."""
        barrier = Barrier(THREADS, timeout=TIMEOUT)
        namespace = self.namespace

        def run(number: int) -> Any:
            store = self.make_store(namespace)
            try:
                barrier.wait()
                return work(store, number)
            finally:
                store.close()
                connections.close_all()

        # Python changes threads every 5 ms, longer than many appends take: races would hide.
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(THREADS) as pool:
                return list(pool.map(run, range(THREADS), timeout=2 * TIMEOUT))
        finally:
            sys.setswitchinterval(interval)

    def in_processes(self, work: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Call ``work`` with a store, a number and ``arguments`` in 4 processes at once."""
        if not self.shared_between_processes:
            raise SkipTest("other processes do not see the store's data")
        assert self.process_store, f"{type(self).__name__} needs a process_store"
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(PROCESSES, timeout=TIMEOUT)
        with ProcessPoolExecutor(
            PROCESSES,
            mp_context=context,
            initializer=processes.start,
            initargs=(self.process_environment(), barrier),
        ) as pool:
            tasks = [
                pool.submit(
                    processes.run, work, self.process_store, self.namespace, number, arguments
                )
                for number in range(PROCESSES)
            ]
            return [task.result(timeout=2 * TIMEOUT) for task in tasks]

    def check_history(self, acknowledged: list[list[tuple[int, str]]], writers: int) -> None:
        """Assert that the one actor holds what was acknowledged: each once, no version twice."""
        flat = [each for of_writer in acknowledged for each in of_writer]
        count = writers * self.each_saves
        assert len(flat) == count
        assert sorted(version for version, _ in flat) == list(range(1, count + 1))
        events = self.store.get_events("order-1")
        assert [(event.version, event.id) for event in events] == sorted(flat)
        check_ascending(events)
        assert list(self.store.read_all(actor_id="order-1")) == events
        assert self.store.get_latest_version("order-1") == count

    def check_many_actors(self, acknowledged: list[list[tuple[str, int, str]]]) -> None:
        """Assert that every actor holds what was acknowledged, and no more."""
        flat = [each for of_writer in acknowledged for each in of_writer]
        events = list(self.store.read_all())
        found = [(event.actor_id, event.version, event.id) for event in events]
        assert Counter(found) == Counter(flat)
        for actor_id in {actor_id for actor_id, _, _ in flat}:
            versions = [event.version for event in events if event.actor_id == actor_id]
            assert versions == list(range(1, len(versions) + 1))

    # -- threads

    def test_threads_at_the_same_version_have_one_winner(self) -> None:
        def save(store: EventStore, number: int) -> str | None:
            events = [Event("order-1", "placed", {"n": number}) for _ in range(3)]
            try:
                return store.save_events(events, expected_version=0)[0].id
            except VersionConflictError:
                return None

        winners = [event_id for event_id in self.in_threads(save) if event_id is not None]
        assert len(winners) == 1
        events = self.store.get_events("order-1")
        assert len(events) == 3
        assert events[0].id == winners[0]

    def test_threads_compete_for_the_versions_of_one_actor(self) -> None:
        acknowledged = self.in_threads(
            lambda store, _: processes.compete(store, self.each_saves, "order-1")
        )
        self.check_history(acknowledged, THREADS)

    def test_threads_append_to_one_actor_at_any_version(self) -> None:
        acknowledged = self.in_threads(
            lambda store, _: processes.append(store, self.each_saves, "order-1")
        )
        self.check_history(acknowledged, THREADS)

    def test_threads_append_to_many_actors(self) -> None:
        actor_ids = [f"order-{number}" for number in range(5)]
        acknowledged = self.in_threads(
            lambda store, number: processes.append_to_many(store, number, 3, actor_ids)
        )
        self.check_many_actors(acknowledged)

    def test_threads_never_conflict_on_actors_of_their_own(self) -> None:
        def save(store: EventStore, number: int) -> None:
            for version in range(self.each_saves):
                store.save_event(Event(f"order-{number}", "placed"), expected_version=version)

        self.in_threads(save)
        assert self.store.count_events() == THREADS * self.each_saves

    def test_threads_that_save_the_same_event_store_it_once(self) -> None:
        event = Event("order-1", "placed", {"n": 1})
        saved = self.in_threads(lambda store, _: store.save_event(event))
        assert len({(each.version, each.position) for each in saved}) == 1
        assert self.store.get_events("order-1") == [saved[0]]

    def test_threads_save_batches_across_actors(self) -> None:
        if not self.store.backend.supports_multi_actor_append:
            raise SkipTest("the store has no appends of several actors")
        actor_ids = [f"order-{number}" for number in range(4)]

        def save(store: EventStore, number: int) -> list[tuple[str, int | None, str]]:
            # Every writer names the actors in another order: a store must not deadlock.
            turned = actor_ids[number % 4 :] + actor_ids[: number % 4]
            if number % 2:
                turned.reverse()
            acknowledged = []
            for _ in range(3):
                batch = store.save_events([Event(name, "placed") for name in turned * 2])
                acknowledged += [(event.actor_id, event.version, event.id) for event in batch]
            return acknowledged

        self.check_many_actors(self.in_threads(save))

    def test_threads_update_one_actor_without_a_lost_update(self) -> None:
        def count(state: int, _: Event) -> int:
            return state + 1

        def work(store: EventStore, number: int) -> None:
            for _ in range(3):
                store.update(
                    "order-1",
                    lambda state: Event("order-1", "counted", {"n": state}),
                    count,
                    0,
                    retries=1000,
                )

        self.in_threads(work)
        events = self.store.get_events("order-1")
        assert [event.data["n"] for event in events] == list(range(THREADS * 3))

    def test_a_reader_meets_batches_whole(self) -> None:
        def work(store: EventStore, number: int) -> None:
            if number < 4:
                for _ in range(5):
                    store.save_events([Event("order-1", "placed") for _ in range(10)])
                return
            for _ in range(20):
                versions = [event.version for event in store.get_events("order-1")]
                assert versions == list(range(1, len(versions) + 1))
                assert len(versions) % 10 == 0

        self.in_threads(work)
        assert self.store.get_latest_version("order-1") == 200

    # -- processes

    def test_processes(self) -> None:
        # All in one test: to start the processes takes longer than what they do.
        self.store.save_event(Event("order-3", "placed"))
        actor_ids = [f"order-{number}" for number in range(2, 6)]

        answers = self.in_processes(processes.write, self.each_saves, actor_ids)

        of_one_actor = [acknowledged for acknowledged, _ in answers]
        self.check_history(of_one_actor, PROCESSES)
        of_many = [each for _, acknowledged in answers for each in acknowledged]
        for actor_id in actor_ids:
            of_actor = sorted(version for name, version, _ in of_many if name == actor_id)
            first = 2 if actor_id == "order-3" else 1
            assert of_actor == list(range(first, first + len(of_actor)))
        found = {(each.actor_id, each.version, each.id) for each in self.store.read_all()}
        assert found.issuperset(of_many)
        assert len(found) == 1 + len(of_many) + sum(map(len, of_one_actor))
        # This process, which wrote before, has no stale idea of where the actor is.
        latest = 1 + sum(name == "order-3" for name, _, _ in of_many)
        assert self.store.get_latest_version("order-3") == latest
        with raises(VersionConflictError):
            self.store.save_event(Event("order-3", "paid"), expected_version=1)
        assert self.store.save_event(Event("order-3", "paid")).version == latest + 1
