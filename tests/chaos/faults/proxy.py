"""A TCP proxy that makes a network bad: slow, cut, refusing, half-open, reset in the middle of an answer.

Connections pass through `Proxy` as its `Weather` says; a `Tap` may read along and cut at a certain word.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

from tests.chaos.faults.loop import Loop, pause

CHUNK = 65_536
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: a close is a reset, and nothing is flushed.


@dataclass(frozen=True, kw_only=True)
class Weather:
    """How bytes travel; the defaults let them pass."""

    latency_s: float = 0.0  # Added to every chunk, each way.
    bytes_per_s: float = inf  # Each way, for each connection.
    refuse: bool = False  # As when no process listens.
    hold: bool = False  # Bytes are kept until the weather changes: a partition that heals.
    swallow: bool = False  # Accept and lose everything; what was connected meanwhile stays dead: half-open.
    reset_after: int | None = None  # Reset a connection after so many bytes of answers.


CLEAR = Weather()


class Cut(Exception):
    """The connection is to be reset now."""


class Tap:
    """Reads along on one connection; bytes that it does not return are lost, `Cut` resets both ends."""

    def asked(self, data: bytes) -> bytes:
        """Bytes on their way to the server."""
        return data

    def answered(self, data: bytes) -> bytes:
        """Bytes on their way to the client."""
        return data


class Proxy:
    """Listens on a loopback port of its own and passes connections on to one target."""

    def __init__(self, target: int, *, tap: Callable[[], Tap] = Tap) -> None:
        """``target`` is a port of loopback; ``tap`` makes what reads along on each new connection."""
        self.target = ("127.0.0.1", target)
        self.weather = CLEAR
        self.port = 0
        self.new_tap = tap
        self.changed = asyncio.Event()
        self._loop = Loop(f"proxy to {target}")
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None

    def start(self) -> "Proxy":
        """Listen; the port is known afterwards and stays the same."""
        self._loop.run(self._listen())
        return self

    def set(self, weather: Weather) -> None:
        """Change the weather, also for connections that are there."""
        self._loop.run(self._change(weather))

    def watch(self, tap: Callable[[], Tap]) -> None:
        """Let taps read along, on connections that are there from their next bytes on."""
        self.new_tap = tap
        for link in list(self._links):
            link.tap = tap()

    def cut(self) -> int:
        """Reset every connection; how many there were."""
        return self._loop.run(self._cut(lambda _link: True))

    def close(self) -> None:
        """Reset everything and end."""
        self._loop.run(self._change(Weather(refuse=True)))
        self.cut()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, reader, writer)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)

    async def _change(self, weather: Weather) -> None:
        self.weather = weather
        self.changed.set()
        self.changed = asyncio.Event()
        if weather.refuse and self._server is not None:
            self._server.close()
            self._server = None
        elif not weather.refuse and self._server is None:
            await self._listen()
        if not weather.swallow:
            await self._cut(lambda link: link.deserted)

    async def _cut(self, chosen: Callable[["_Link"], bool]) -> int:
        links = [link for link in self._links if chosen(link)]
        for link in links:
            link.reset()
        return len(links)


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy, self._reader, self._writer = proxy, reader, writer
        self.tap = proxy.new_tap()
        self._upstream: asyncio.StreamWriter | None = None
        self._answered = 0
        self._dead = proxy.weather.swallow  # Once bytes were swallowed it never works again.
        self._client_left = False

    @property
    def deserted(self) -> bool:
        """Whether the client has left a connection whose server never learned of it."""
        return self._dead and self._client_left

    async def run(self) -> None:
        """Pass bytes both ways until an end closes, or the connection is cut."""
        try:
            if self._dead:
                await self._forward(self._reader, None)
                raise Cut
            answers, self._upstream = await asyncio.open_connection(*self._proxy.target)
            await asyncio.gather(self._forward(self._reader, self._upstream), self._backward(answers))
            self._upstream.close()
            self._writer.close()
        except (Cut, OSError):
            self.reset()
        except asyncio.CancelledError:
            self.reset()
            raise

    def reset(self) -> None:
        """Break both ends at once."""
        for writer in (self._writer, self._upstream):
            if writer is not None:
                _reset(writer)

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter | None) -> None:
        await self._pass(source, sink, lambda data: self.tap.asked(data))
        self._client_left = True

    async def _backward(self, source: asyncio.StreamReader) -> None:
        await self._pass(source, self._writer, self._answer)

    async def _pass(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter | None,
        see: Callable[[bytes], bytes],
    ) -> None:
        while True:
            data = await source.read(CHUNK)
            await self._travel(len(data))
            self._dead = self._dead or self._proxy.weather.swallow
            if sink is not None and not self._dead:
                sink.write(see(data)) if data else sink.write_eof()
                await sink.drain()
            if not data:
                return

    def _answer(self, data: bytes) -> bytes:
        limit = self._proxy.weather.reset_after
        self._answered += len(data)
        if limit is not None and self._answered > limit:
            self._writer.write(data[: max(0, len(data) - (self._answered - limit))])
            raise Cut
        return self.tap.answered(data)

    async def _travel(self, size: int) -> None:
        while self._proxy.weather.hold:
            await self._proxy.changed.wait()
        weather = self._proxy.weather
        await pause(weather.latency_s + size / weather.bytes_per_s)


def _reset(writer: asyncio.StreamWriter) -> None:
    transport: Any = writer.transport
    raw: socket.socket | None = transport.get_extra_info("socket")
    if raw is not None and not transport.is_closing():
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    transport.abort()
