"""Metadata that surrounds a block of code."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from django_eventstore import InvalidEventError, event_metadata
from django_eventstore.events.metadata import acurrent_event_metadata, current_event_metadata


def test_blocks_nest_and_end():
    assert current_event_metadata() == {}
    with event_metadata(a="1", b="1"):
        with event_metadata(b="2", c="2"):
            assert current_event_metadata() == {"a": "1", "b": "2", "c": "2"}
        assert current_event_metadata() == {"a": "1", "b": "1"}
    assert current_event_metadata() == {}


def test_a_block_ends_with_an_exception():
    with pytest.raises(KeyError), event_metadata(a="1"):
        raise KeyError
    assert current_event_metadata() == {}


def test_none_leaves_a_key_out():
    with event_metadata(a="1"), event_metadata(a=None, b=lambda: None):
        assert current_event_metadata() == {"a": "1"}


def test_a_callable_is_called_when_an_event_is_saved():
    numbers = iter("123")
    with event_metadata(number=lambda: next(numbers)):
        assert current_event_metadata() == {"number": "1"}
        assert current_event_metadata() == {"number": "2"}
        assert asyncio.run(acurrent_event_metadata()) == {"number": "3"}


@pytest.mark.parametrize("value", [5, True, b"a", ["a"], "a\x00", "\ud800"])
def test_what_is_no_text_is_refused(value):
    with pytest.raises(InvalidEventError, match="metadata"):
        event_metadata(a=value)
    with event_metadata(a=lambda: value), pytest.raises(InvalidEventError, match="metadata"):
        current_event_metadata()


def test_a_decorated_function():
    @event_metadata(a="1")
    def inside(number):
        """Say what holds."""
        if number:
            return [current_event_metadata(), *inside(number - 1)]
        return []

    assert inside(3) == [{"a": "1"}] * 3
    assert inside.__doc__ == "Say what holds."
    assert current_event_metadata() == {}


def test_a_decorated_coroutine_function():
    @event_metadata(a="1")
    async def inside():
        await asyncio.sleep(0)
        return current_event_metadata()

    async def main():
        assert asyncio.iscoroutinefunction(inside)
        return [*await asyncio.gather(inside(), inside()), current_event_metadata()]

    assert asyncio.run(main()) == [{"a": "1"}, {"a": "1"}, {}]


def test_generators_are_not_decorated():
    def steps():
        yield

    async def asynchronous_steps():
        yield

    for generator in (steps, asynchronous_steps):
        with pytest.raises(TypeError, match=rf"{generator.__name__}\(\), a generator"):
            event_metadata(a="1")(generator)


def test_tasks_do_not_see_each_others():
    async def task(number):
        with event_metadata(number=str(number)):
            await asyncio.sleep(0)
            return await acurrent_event_metadata()

    async def main():
        return await asyncio.gather(*(task(number) for number in range(5)))

    assert asyncio.run(main()) == [{"number": str(number)} for number in range(5)]


def test_threads_do_not_see_each_others():
    with event_metadata(a="1"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(current_event_metadata).result() == {}
