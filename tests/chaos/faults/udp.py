"""A UDP proxy that loses, doubles, delays and reorders datagrams: the network of a BMC on a bad day."""

import asyncio
import random
from dataclasses import dataclass
from typing import Any

from tests.chaos.faults.loop import Loop

Address = tuple[str, int]
BEHIND_S = 0.05  # A datagram that is overtaken leaves this much later.


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What happens to datagrams, each way; shares are of one."""

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0  # Overtaken by the next one.
    delay_s: float = 0.0


STILL = Drift()


class UdpProxy:
    """Listens on a loopback port of its own; each client gets a socket of its own towards the target."""

    def __init__(self, target: int, *, seed: int = 0) -> None:
        self.target = ("127.0.0.1", target)
        self.drift = STILL
        self.port = 0
        self.dropped = self.doubled = self.overtaken = 0
        self._chance = random.Random(seed)
        self._loop = Loop(f"udp proxy to {target}")
        self._transport: Any = None
        self._outward: dict[Address, asyncio.DatagramTransport] = {}
        self._in_order = asyncio.Lock()  # Datagrams of a client go on one by one, through one socket.

    def start(self) -> "UdpProxy":
        """Listen; the port is known afterwards."""
        self._loop.run(self._listen())
        return self

    def set(self, drift: Drift) -> None:
        """Change what happens from the next datagram on."""
        self.drift = drift

    def close(self) -> None:
        """Stop listening and end."""
        self._loop.run(self._hang_up())
        self._loop.close()

    def carry(self, data: bytes, transport: asyncio.DatagramTransport, to: Address | None) -> None:
        """Send a datagram on, as the drift has it."""
        drift, chance = self.drift, self._chance
        if chance.random() < drift.drop:
            self.dropped += 1
            return
        delay = drift.delay_s
        if chance.random() < drift.reorder:
            self.overtaken += 1
            delay += BEHIND_S
        copies = 1
        if chance.random() < drift.duplicate:
            self.doubled += 1
            copies = 2
        for _ in range(copies):
            asyncio.get_running_loop().call_later(delay, transport.sendto, data, to)

    async def from_client(self, data: bytes, client: Address) -> None:
        """A datagram of a client: on to the target, from a socket that is this client's alone."""
        async with self._in_order:
            if client not in self._outward:
                loop = asyncio.get_running_loop()
                made, _ = await loop.create_datagram_endpoint(
                    lambda: _Answers(self, client), remote_addr=self.target
                )
                self._outward[client] = made
            self.carry(data, self._outward[client], None)

    def to_client(self, data: bytes, client: Address) -> None:
        """An answer of the target: back to its client."""
        self.carry(data, self._transport, client)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Questions(self), local_addr=("127.0.0.1", 0)
        )
        self.port = self._transport.get_extra_info("sockname")[1]

    async def _hang_up(self) -> None:
        for transport in (self._transport, *self._outward.values()):
            transport.close()


class _Questions(asyncio.DatagramProtocol):
    """The side of the clients."""

    def __init__(self, proxy: UdpProxy) -> None:
        self._proxy = proxy
        self._tasks: set[asyncio.Task[None]] = set()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """A client asks the target."""
        task = asyncio.get_running_loop().create_task(self._proxy.from_client(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Answers(asyncio.DatagramProtocol):
    """The side of the target, for one client."""

    def __init__(self, proxy: UdpProxy, client: Address) -> None:
        self._proxy, self._client = proxy, client

    def datagram_received(self, data: bytes, _addr: Address) -> None:
        """The target answers."""
        self._proxy.to_client(data, self._client)
