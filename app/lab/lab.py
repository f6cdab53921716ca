"""A lab: its machines, their BMCs on their ports, the control API, and the ways to run it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.lab.account import Account
from app.lab.background import Background, listening, taken
from app.lab.certificate import certificate_of, context_of, kept, renew
from app.lab.clouds import Clouds
from app.lab.control import Control
from app.lab.installer import Behaviour, Installer
from app.lab.ipmi import IpmiBmc
from app.lab.kube import Kube
from app.lab.ledger import Ledger
from app.lab.machine import Machine
from app.lab.redfish import RedfishBmc

_FREE_PORT_TRIES = 100


class Lab(Background):
    """Simulated machines in one event loop, each behind a BMC of its own on 127.0.0.1.

    As a context manager it runs in a background thread. Port 0 means any free port; a base port means one
    port per machine from there on. ``ledger`` and ``tls`` are paths of files that outlive the lab: a lab
    started again on them has the same machines in the same state and the same certificate. ``clusters``
    names management clusters that live beside the machines, from ``kube_port`` on; their objects are kept in
    the folder ``kube_state``. Two doubled clouds listen from ``cloud_port`` on; their servers are kept in the
    folder ``cloud_state``.
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
        clusters: Sequence[str] = (),
        kube_port: int = 0,
        kube_state: str | Path | None = None,
        cloud_port: int = 0,
        cloud_state: str | Path | None = None,
        ssh_port: int | None = None,
    ) -> None:
        self.account = Account(user=user, password=password)
        self.ledger = Ledger(ledger)
        self._pem = kept(tls)
        self.certificate = certificate_of(self._pem)
        self._ports = (base_port, base_port if redfish_port is None else redfish_port, control_port)
        behaviour = Behaviour(delay_ms=round(install_delay * 1000))
        self.machines = [self._restored(f"m{number + 1}", power_delay) for number in range(count)]
        self.installers = {machine.id: Installer(machine, behaviour) for machine in self.machines}
        self.kube = Kube(
            clusters, kube_port, ledger=self.ledger, tls=tls, control_port=None, state=kube_state
        )
        self.clouds = Clouds(cloud_port, ledger=self.ledger, state=cloud_state, ssh_port=ssh_port)
        self._control = Control(
            self.machines, self.installers, self.ledger, self.certificate, self.kube.control, self.clouds
        )
        self._transports: list[asyncio.DatagramTransport] = []
        self._redfish: list[RedfishBmc] = []

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
            "clusters": self.kube.summary()["clusters"],
            "clouds": {"upcloud": self.clouds.upcloud_url, "aws": self.clouds.ec2_url},
        }

    async def open(self) -> None:
        ipmi, redfish, control = self._ports
        for index, machine in enumerate(self.machines):
            await self._open_machine(machine, ipmi and ipmi + index, redfish and redfish + index)
        await self.kube.open()
        await self.clouds.open()
        await listening(self._control.server.start(control), "TCP", control)

    async def close(self) -> None:
        for transport in self._transports:
            transport.close()
        for server in [self._control.server, *(bmc.server for bmc in self._redfish)]:
            await server.stop()
        for installer in self.installers.values():
            installer.withdraw()
        await self.kube.close()
        await self.clouds.close()
        # Cut connections let their sockets go in the next turns of the loop.
        await asyncio.sleep(0.01)
        self.ledger.close()

    def _restored(self, machine_id: str, power_delay: float) -> Machine:
        machine = Machine(machine_id, self.ledger, power_delay=power_delay)
        machine.restore(self.ledger.read(machine_id))
        return machine

    async def _open_machine(self, machine: Machine, ipmi: int, redfish: int) -> None:
        """With free ports, UDP and TCP get the same number, so that an address names one machine only."""
        tls = context_of(self._pem)  # Its own, for each may make itself a new certificate.
        machine.renew_certificate = lambda: renew(tls)
        for attempt in range(_FREE_PORT_TRIES):
            transport = await listening(self._open_ipmi(machine, ipmi), "UDP", ipmi)
            number = transport.get_extra_info("sockname")[1]
            bmc = RedfishBmc(machine, self.account)
            wanted = redfish or number
            try:
                await bmc.server.start(wanted, tls)
            except OSError as error:
                transport.close()
                if ipmi or redfish or attempt == _FREE_PORT_TRIES - 1:
                    raise taken("TCP", wanted, error) from error
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
