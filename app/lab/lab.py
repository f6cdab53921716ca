"""A lab: its machines, their BMCs on their ports, the control API, and the ways to run it."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from app.domain.errors import Unavailable
from app.lab.account import Account
from app.lab.certificate import load_or_make
from app.lab.control import Control
from app.lab.installer import Behaviour, Installer
from app.lab.ipmi import IpmiBmc
from app.lab.ledger import Ledger
from app.lab.machine import Machine
from app.lab.redfish import RedfishBmc

Listener = TypeVar("Listener")

_FREE_PORT_TRIES = 100
_START_TIMEOUT = 30.0  # seconds


class Lab:
    """Simulated machines in one event loop, each behind a BMC of its own on 127.0.0.1.

    As a context manager it runs in a background thread. Port 0 means any free port; a base port means one
    port per machine from there on. ``ledger`` and ``tls`` are paths of files that outlive the lab: a lab
    started again on them has the same machines in the same state and the same certificate.
    Raises `Unavailable` when a port is taken.
    """

    def __init__(
        self,
        count: int = 3,
        base_port: int = 0,
        user: str = "admin",
        password: str = "windlass-lab",
        ledger: str | Path | None = None,
        *,
        redfish_port: int | None = None,
        control_port: int = 0,
        power_delay: float = 0.2,
        install_delay: float = 0.5,
        tls: str | Path | None = None,
    ) -> None:
        self.account = Account(user=user, password=password)
        self.ledger = Ledger(ledger)
        self.certificate, self._tls = load_or_make(tls)
        self._ports = (base_port, base_port if redfish_port is None else redfish_port, control_port)
        behaviour = Behaviour(delay_ms=round(install_delay * 1000))
        self.machines = [self._restored(f"m{number + 1}", power_delay) for number in range(count)]
        self.installers = {machine.id: Installer(machine, behaviour) for machine in self.machines}
        self._control = Control(self.machines, self.installers, self.ledger, self.certificate)
        self._transports: list[asyncio.DatagramTransport] = []
        self._redfish: list[RedfishBmc] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    @property
    def control_url(self) -> str:
        return f"http://127.0.0.1:{self._control.server.port}"

    def machine(self, machine_id: str) -> Machine:
        """The machine with this id; raises `KeyError`."""
        return {machine.id: machine for machine in self.machines}[machine_id]

    def summary(self) -> dict[str, Any]:
        """Where everything listens, as JSON."""
        return {
            "controlUrl": self.control_url,
            "user": self.account.user,
            "machines": [
                {"id": one.id, "ipmiAddress": one.address, "redfishUrl": one.redfish_url}
                for one in self.machines
            ],
        }

    async def open(self) -> None:
        """Open all ports in the running loop."""
        ipmi, redfish, control = self._ports
        for index, machine in enumerate(self.machines):
            await self._open_machine(machine, ipmi and ipmi + index, redfish and redfish + index)
        await _listening(self._control.server.start(control), "TCP", control)

    async def close(self) -> None:
        """Close all ports and end what is under way."""
        for transport in self._transports:
            transport.close()
        for server in [self._control.server, *(bmc.server for bmc in self._redfish)]:
            await server.stop()
        for installer in self.installers.values():
            installer.withdraw()
        # Cut connections let their sockets go in the next turns of the loop.
        await asyncio.sleep(0.01)
        self.ledger.close()

    def _restored(self, machine_id: str, power_delay: float) -> Machine:
        machine = Machine(machine_id, self.ledger, power_delay=power_delay)
        machine.restore(self.ledger.read(machine_id))
        return machine

    async def _open_machine(self, machine: Machine, ipmi: int, redfish: int) -> None:
        """With free ports, UDP and TCP get the same number, so that an address names one machine only."""
        for attempt in range(_FREE_PORT_TRIES):
            transport = await _listening(self._open_ipmi(machine, ipmi), "UDP", ipmi)
            number = transport.get_extra_info("sockname")[1]
            bmc = RedfishBmc(machine, self.account)
            wanted = redfish or number
            try:
                await bmc.server.start(wanted, self._tls)
            except OSError as error:
                transport.close()
                if ipmi or redfish or attempt == _FREE_PORT_TRIES - 1:
                    raise _taken("TCP", wanted, error) from error
                machine.forgetful.clear()
                continue
            machine.ipmi_port, machine.redfish_port = number, bmc.server.port
            self._transports.append(transport)
            self._redfish.append(bmc)
            return

    async def _open_ipmi(self, machine: Machine, port: int) -> asyncio.DatagramTransport:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: IpmiBmc(machine, self.account), local_addr=("127.0.0.1", port)
        )
        return transport

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


def serve(lab: Lab, announce: Callable[[Lab], None]) -> None:
    """Run a lab in this thread until SIGTERM or SIGINT; ``announce`` is called with it once it is ready."""
    asyncio.run(_serve(lab, announce))


async def _serve(lab: Lab, announce: Callable[[Lab], None]) -> None:
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


async def _listening(opening: Coroutine[Any, Any, Listener], kind: str, port: int) -> Listener:
    try:
        return await opening
    except OSError as error:
        raise _taken(kind, port, error) from error


def _taken(kind: str, port: int, error: OSError) -> Unavailable:
    return Unavailable(f"{kind} port {port} on 127.0.0.1 cannot be opened: {error.strerror or error}.")
