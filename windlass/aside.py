"""The nouns of the client for coroutines: each call runs beside the event loop and is awaited there.

    run = await client.runs.get("run_…")
    async for event in client.runs.stream(run.id): ...

The code of a call is that of `Client`, in a thread; its requests go through the transport of the event loop.
So both clients can say the same, and none of it is written twice. A call whose task is cancelled ends with
the request that it was sending.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Generic, TypeVar

from windlass.exchange import Exchange
from windlass.session import Session
from windlass.transport import AsyncTransport, HttpxTransport, Lines, Request, Response

N = TypeVar("N")
_END = object()


class LoopTransport:
    """Lets a thread send requests through the transport of an event loop; endless answers it reads itself."""

    def __init__(self, base_url: str, transport: AsyncTransport) -> None:
        self._base_url, self._transport = base_url, transport
        self._loop: asyncio.AbstractEventLoop | None = None
        self._streams: HttpxTransport | None = None

    def begin(self) -> None:
        """Note the event loop whose transport this is; called in it."""
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
        """Give back the connections of endless answers."""
        if self._streams is not None:
            self._streams.close()


class Aside(Generic[N]):
    """A noun of the client whose calls are awaited, and whose lists are walked by ``async for``."""

    def __init__(self, noun: Callable[..., N], transport: LoopTransport, exchange: Exchange) -> None:
        self._noun: N = noun(session=Session(transport=transport, exchange=exchange))
        self._begin = transport.begin

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        method = getattr(self._noun, name)
        return self._walked(method) if _walks(method) else self._awaited(method)

    def __dir__(self) -> list[str]:
        return sorted(calls(type(self._noun)))

    def _awaited(self, method: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        @wraps(method)
        async def call(*args: Any, **kwargs: Any) -> Any:
            self._begin()
            return await asyncio.to_thread(method, *args, **kwargs)

        return call

    def _walked(self, method: Callable[..., Iterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
        @wraps(method)
        async def walk(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            self._begin()
            found = await asyncio.to_thread(method, *args, **kwargs)
            while (each := await asyncio.to_thread(next, found, _END)) is not _END:
                yield each

        return walk


def calls(noun: type) -> set[str]:
    """The names of the calls of a noun."""
    return {name for name, of in vars(noun).items() if inspect.isfunction(of) and name[0] != "_"}


def _walks(method: Callable[..., Any]) -> bool:
    """Whether a call answers an iterator."""
    said = inspect.signature(method).return_annotation
    return str(said).partition("[")[0].rpartition(".")[2] == "Iterator"
