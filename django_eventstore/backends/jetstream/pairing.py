"""A primitive is written once, as a coroutine, and called in two forms: by threads and by tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from asgiref.sync import sync_to_async

from .client.call import Call, StreamGone
from .client.operation import Operation, arun, run
from .config import JetStreamConfig

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)


class Pages(Protocol[Item_co]):
    """What reads page by page."""

    @property
    def done(self) -> bool:
        """Whether there is no more."""

    async def page(self, call: Call) -> Sequence[Item_co]:
        """Return the next items."""


class Paired(ABC):
    """What has such primitives. The first argument of each is the namespace, by position."""

    options: JetStreamConfig

    def call(self) -> Call:
        """Return a new call, which begins now."""
        return Call(self.options)

    @abstractmethod
    def forget(self, namespace: str) -> None:
        """The streams of ``namespace`` were removed: what is known of them is of no use."""


Owner = TypeVar("Owner", bound=Paired)
Primitive = Callable[Concatenate[Owner, Arguments], Coroutine[Operation, None, Result]]
Opening = Callable[
    Concatenate[Owner, Call, Arguments], Coroutine[Operation, None, Pages[Item] | None]
]


def thread_form(
    primitive: Primitive[Owner, Arguments, Result],
) -> Callable[Concatenate[Owner, Arguments], Result]:
    """Return the method that runs ``primitive`` in the calling thread."""

    def method(self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return run(primitive(self, *args, **kwargs))
        except StreamGone:
            self.forget(str(args[0]))
            return run(primitive(self, *args, **kwargs))

    return method


def task_form(
    primitive: Primitive[Owner, Arguments, Result],
) -> Callable[Concatenate[Owner, Arguments], Coroutine[Any, Any, Result]]:
    """Return the method that runs ``primitive`` in the running task."""
    in_thread = thread_form(primitive)

    async def method(self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if self.options.version_cache:
            # A Django cache may block, and may refuse to be used in an event loop.
            return await sync_to_async(in_thread)(self, *args, **kwargs)
        try:
            return await arun(primitive(self, *args, **kwargs))
        except StreamGone:
            self.forget(str(args[0]))
            return await arun(primitive(self, *args, **kwargs))

    return method


def both_forms(
    primitive: Primitive[Owner, Arguments, Result],
) -> tuple[
    Callable[Concatenate[Owner, Arguments], Result],
    Callable[Concatenate[Owner, Arguments], Coroutine[Any, Any, Result]],
]:
    """Return the forms of ``primitive`` for threads and for tasks."""
    return thread_form(primitive), task_form(primitive)


def both_readers(
    opening: Opening[Owner, Arguments, Item],
) -> tuple[
    Callable[Concatenate[Owner, Arguments], Iterator[Item]],
    Callable[Concatenate[Owner, Arguments], AsyncGenerator[Item, None]],
]:
    """Return the generators, for threads and for tasks, of what ``opening`` reads page by page."""

    async def first_page(
        self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> tuple[Pages[Item] | None, Sequence[Item]]:
        call = self.call()
        pages = await opening(self, call, *args, **kwargs)
        return pages, [] if pages is None else await pages.page(call)

    first_in_thread, first_in_task = both_forms(first_page)

    def iterate(
        self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Iterator[Item]:
        pages, items = first_in_thread(self, *args, **kwargs)
        while pages is not None:
            yield from items
            if pages.done:
                return
            items = run(pages.page(self.call()))

    async def aiterate(
        self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> AsyncGenerator[Item, None]:
        pages, items = await first_in_task(self, *args, **kwargs)
        while pages is not None:
            for item in items:
                yield item
            if pages.done:
                return
            items = await arun(pages.page(self.call()))

    return iterate, aiterate
