"""The base of the async client's nouns: each call runs in a thread and is awaited in the event loop.

    run = await client.runs.get("run_…")
    async for event in client.runs.stream(run.id): ...

The thread executes the code of `Client`; its requests go through the transport of the event loop. So both
clients share one implementation. A call whose task is cancelled ends with the request that it was sending.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar, cast

from windlass.exchange import Exchange
from windlass.httpx_transport import HttpxTransport
from windlass.session import Session
from windlass.transport import AsyncTransport, Lines, Request, Response

N = TypeVar("N")
P = ParamSpec("P")
T = TypeVar("T")
_END = object()


class LoopTransport:
    """Sends requests of a thread through the transport of an event loop; streams are read in the thread."""

    def __init__(self, base_url: str, transport: AsyncTransport) -> None:
        self._base_url, self._transport = base_url, transport
        self._loop: asyncio.AbstractEventLoop | None = None
        self._streams: HttpxTransport | None = None

    def begin(self) -> None:
        """Store the running event loop, whose transport this is."""
        self._loop = asyncio.get_running_loop()

    def send(self, request: Request) -> Response:
        """Send a request and read the whole answer."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(self._transport.send(request), self._loop).result()

    def open(self, request: Request) -> AbstractContextManager[Lines]:
        """Send a request and read the answer line by line."""
        self._streams = self._streams or HttpxTransport(self._base_url)
        return self._streams.open(request)

    def close(self) -> None:
        """Close the connections of streams."""
        if self._streams is not None:
            self._streams.close()


class Aside(Generic[N]):
    """A noun of the client whose calls run in a thread."""

    _made_of: ClassVar[Callable[..., Any]]

    def __init__(self, transport: LoopTransport, exchange: Exchange) -> None:
        self._noun: N = type(self)._made_of(session=Session(transport=transport, exchange=exchange))
        self._begin = transport.begin

    async def _beside(self, call: Callable[Concatenate[N, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call in a thread and return its result; the event loop goes on meanwhile."""
        self._begin()
        return await asyncio.to_thread(call, self._noun, *args, **kwargs)


def awaited(
    call: Callable[Concatenate[N, P], T],
) -> Callable[Concatenate[Aside[N], P], Coroutine[Any, Any, T]]:
    """The call as a coroutine function."""

    @wraps(call)
    async def method(self: Aside[N], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._beside(call, *args, **kwargs)

    return method


def walked(
    call: Callable[Concatenate[N, P], Iterator[T]],
) -> Callable[Concatenate[Aside[N], P], AsyncIterator[T]]:
    """The call as an asynchronous generator function."""

    @wraps(call)
    async def method(self: Aside[N], /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        found = await self._beside(call, *args, **kwargs)
        while (each := await asyncio.to_thread(next, found, _END)) is not _END:
            yield cast("T", each)

    return method
