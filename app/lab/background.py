"""Runs simulations in an event loop: in a background thread for tests, in the foreground for programs."""

import asyncio
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Self, TypeVar

from app.domain.errors import Unavailable

Listener = TypeVar("Listener")
Living = TypeVar("Living", bound="Background")

_START_TIMEOUT = 30.0  # seconds


class Background(ABC):
    """Opened and closed in a loop; as a context manager it has a thread of its own."""

    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None
    _failure: BaseException | None = None

    @abstractmethod
    async def open(self) -> None:
        """Open all ports in the running loop; raises `Unavailable` when one is taken."""

    @abstractmethod
    async def close(self) -> None:
        """Close all ports and end what is under way."""

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="lab", daemon=True)
        self._thread.start()
        if not ready.wait(_START_TIMEOUT):
            raise Unavailable("The lab did not start in time.")
        if self._failure:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop and self._thread:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def _run(self, ready: threading.Event) -> None:
        try:
            asyncio.run(self._live(ready))
        except (OSError, Unavailable) as failure:
            self._failure = failure
            ready.set()

    async def _live(self, ready: threading.Event) -> None:
        self._stop = asyncio.Event()
        try:
            await self.open()
            self._loop = asyncio.get_running_loop()
            ready.set()
            await self._stop.wait()
        finally:
            await self.close()


def serve(lab: Living, announce: Callable[[Living], None]) -> None:
    """Run it in this thread until SIGTERM or SIGINT; ``announce`` is called with it once it is ready."""
    asyncio.run(_serve(lab, announce))


async def _serve(lab: Living, announce: Callable[[Living], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await lab.open()
        announce(lab)
        await stop.wait()
    finally:
        await lab.close()


async def listening(opening: Coroutine[object, object, Listener], kind: str, port: int) -> Listener:
    """Await a port's opening; raises `Unavailable` when it is taken."""
    try:
        return await opening
    except OSError as error:
        raise taken(kind, port, error) from error


def taken(kind: str, port: int, error: OSError) -> Unavailable:
    """What to raise for a port that cannot be opened."""
    return Unavailable(f"{kind} port {port} on 127.0.0.1 cannot be opened: {error.strerror or error}.")
