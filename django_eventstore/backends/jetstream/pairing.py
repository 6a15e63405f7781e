"""A primitive is written once, as a coroutine, and called in two forms: by threads and by tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from asgiref.sync import sync_to_async

from .client.call import Call, StreamGone
from .client.operation import Operation, arun, run
from .config import JetStreamConfig
from .names import EVENTS
from .streams.opening import Stream, find_stream

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


class NoStream(Exception):
    """The namespace has no stream yet."""


class Paired(ABC):
    """What has such primitives. The first argument of each is the namespace."""

    options: JetStreamConfig

    def call(self) -> Call:
        """Return a new call, which begins now."""
        return Call(self.options)

    async def on_stream(self, namespace: str, kind: str = EVENTS) -> tuple[Call, Stream]:
        """Return a new call, and the stream that it is about.

        Raises:
            NoStream: there is none: the primitive returns what it was paired with for this.
        """
        call = self.call()
        stream = await find_stream(call, namespace, kind)
        if stream is None:
            raise NoStream
        return call, stream

    @abstractmethod
    def forget(self, namespace: str) -> None:
        """The streams of ``namespace`` were removed: what is known of them is of no use."""


Owner = TypeVar("Owner", bound=Paired)
Primitive = Callable[Concatenate[Owner, Arguments], Coroutine[Operation, None, Result]]
Opening = Callable[
    Concatenate[Owner, Arguments], Coroutine[Operation, None, tuple[Call, Pages[Item]]]
]


def both_forms(
    primitive: Primitive[Owner, Arguments, Result], absent: Callable[[], Result] | None = None
) -> tuple[
    Callable[Concatenate[Owner, Arguments], Result],
    Callable[Concatenate[Owner, Arguments], Coroutine[Any, Any, Result]],
]:
    """Return the forms of ``primitive`` for threads and for tasks.

    ``absent()`` is what they return where there is no stream.
    """

    async def settled(self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            try:
                return await primitive(self, *args, **kwargs)
            except StreamGone:
                self.forget(str(args[0] if args else kwargs["namespace"]))
                return await primitive(self, *args, **kwargs)
        except NoStream:
            if absent is None:
                raise
            return absent()

    def in_thread(self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return run(settled(self, *args, **kwargs))

    async def in_task(self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if self.options.version_cache:
            # A Django cache may block, and may refuse to be used in an event loop.
            return await sync_to_async(in_thread)(self, *args, **kwargs)
        return await arun(settled(self, *args, **kwargs))

    return in_thread, in_task


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
        call, pages = await opening(self, *args, **kwargs)
        return pages, await pages.page(call)

    first_in_thread, first_in_task = both_forms(first_page, lambda: (None, []))

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
