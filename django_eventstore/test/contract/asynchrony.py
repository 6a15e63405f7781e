"""The asynchronous twins, where they do what a synchronous call cannot."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

from asgiref.sync import async_to_sync

from ...events import Event
from ...events.metadata import event_metadata
from ...exceptions import InvalidEventError, VersionConflictError
from ...signals import event_saved
from ...store import EventStore
from .base import ContractBase, add, make_events, numbers, raises
from .signalling import received


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run ``main()`` in an event loop of its own."""
    return async_to_sync(main)()


class Asynchrony(ContractBase):
    """Tasks side by side in one event loop."""

    def test_every_method_has_a_twin(self) -> None:
        # They do no work on the store: they look at settings.
        plain = {"with_namespace", "check", "check_deployment", "describe"}
        for name, _ in inspect.getmembers(EventStore, inspect.isfunction):
            is_twin = name.startswith("a") and hasattr(EventStore, name[1:])
            if not (name.startswith("_") or name in plain or is_twin):
                assert callable(getattr(type(self.store), f"a{name}"))

    def test_tasks_append_to_one_actor(self) -> None:
        async def main() -> Any:
            saves = (self.store.asave_event(Event("order-1", "placed")) for _ in range(20))
            return list(await asyncio.gather(*saves))

        saved = run(main)
        assert sorted(event.version for event in saved) == list(range(1, 21))
        by_version = sorted(saved, key=lambda event: event.version)
        assert self.store.get_events("order-1") == by_version

    def test_tasks_at_the_same_version_have_one_winner(self) -> None:
        async def save() -> bool:
            try:
                await self.store.asave_event(Event("order-1", "placed"), expected_version=0)
            except VersionConflictError:
                return False
            return True

        async def main() -> Any:
            return sum(await asyncio.gather(*(save() for _ in range(10))))

        assert run(main) == 1
        assert self.store.get_latest_version("order-1") == 1

    def test_metadata_belongs_to_its_task(self) -> None:
        async def save(number: int) -> None:
            with event_metadata(correlation_id=f"c-{number}", user_id=lambda: str(number)):
                await asyncio.sleep(0)
                await self.store.asave_event(Event(f"order-{number}", "placed"))

        async def main() -> None:
            await asyncio.gather(*(save(number) for number in range(5)))

        run(main)
        for number in range(5):
            (event,) = self.store.get_events(f"order-{number}")
            assert event.metadata == {"correlation_id": f"c-{number}", "user_id": str(number)}

    def test_reading_while_saving(self) -> None:
        self.store.save_events(make_events(5))

        async def main() -> list[int]:
            seen = []
            async for event in self.store.aread_all(limit=5):
                await self.store.asave_event(Event("echo", "echo", {"n": event.version}))
                seen.append(event.version)
            return seen

        assert run(main) == [1, 2, 3, 4, 5]
        assert numbers(self.store.get_events("echo")) == [1, 2, 3, 4, 5]

    def test_tasks_may_stop_iterating_early(self) -> None:
        self.store.save_events(make_events(30))

        async def main() -> Any:
            for items in (
                self.store.aiter_events("order-1"),
                self.store.aread_all(),
                self.store.aread_all_with_errors(),
            ):
                async with aclosing(items):
                    async for event in items:
                        assert event.version == 1
                        break
            return (await self.store.asave_event(Event("order-1", "placed"))).version

        assert run(main) == 31

    def test_decide_may_be_asynchronous(self) -> None:
        self.store.save_events(make_events(2))
        seen: list[list[int]] = []

        async def decide(state: list[int]) -> Event:
            seen.append(list(state))
            if len(seen) == 1:
                await self.store.asave_event(Event("order-1", "item added", {"n": 9}))
            return Event("order-1", "item added", {"n": sum(state)})

        async def main() -> Any:
            return await self.store.aupdate("order-1", decide, add, [])

        (saved,) = run(main)
        assert seen == [[1, 2], [1, 2, 9]]
        assert saved.data == {"n": 12}

    def test_receivers_are_called(self) -> None:
        async def main() -> Any:
            return await self.store.asave_event(Event("order-1", "placed"))

        with received(event_saved) as got:
            saved = run(main)
        assert [sent["event"] for sent in got] == [saved]

    def test_wrong_arguments_are_refused_at_the_call(self) -> None:
        async def main() -> None:
            with raises(InvalidEventError):
                self.store.aiter_events("")
            with raises(InvalidEventError):
                self.store.aread_all(limit=-1)

        run(main)

    def test_one_event_loop_after_the_other(self) -> None:
        async def main() -> Any:
            return (await self.store.asave_event(Event("order-1", "placed"))).version

        assert [run(main) for _ in range(3)] == [1, 2, 3]
        assert self.store.get_latest_version("order-1") == 3
