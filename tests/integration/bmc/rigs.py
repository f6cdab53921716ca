"""The controllers that the behaviour suite runs on, each with the same few handles for a test to hold.

Orders are told in one language whatever the ledger behind: `on`, `off`, `soft`, `reset`, `boot network`.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

from app.domain.errors import BmcError
from app.lab import Faults, Lab
from app.providers.bmc import BMC, Target, driver, fingerprint
from app.providers.bmc.confirm import becomes
from app.providers.bmc.memory import FAULTS, Machine, MemoryBMC
from tests.integration.bmc.emulator import Emulator
from tests.integration.bmc.ipmi_sim import IpmiSim
from tests.support.servers import until


class Rig(Protocol):
    """One controller under test."""

    within: float  # Seconds that its machine may need to obey.

    def bmc(self, patience: float = 10.0, **changes: Any) -> BMC:
        """A driver for it; changes replace fields of the target."""

    def orders(self) -> list[str]:
        """What reached the machine since the last `mend`, oldest first."""

    def lie(self) -> None:
        """From now on, say yes and do nothing."""

    def hush(self) -> None:
        """From now on, say nothing."""

    def mend(self) -> None:
        """Be healthy, with an empty ledger."""

    def stop(self) -> None:
        """End it."""


class MemoryRig:
    """The driver in memory."""

    within = 0.0

    def __init__(self, folder: Path) -> None:
        self.machine = Machine()

    def bmc(self, patience: float = 10.0, **changes: Any) -> BMC:
        target = Target(protocol="ipmi", host="memory", port=623, username="admin", password="secret")
        return MemoryBMC(self.machine, replace(target, **changes))

    def orders(self) -> list[str]:
        words = {"power on": "on", "power off": "off", "soft off": "soft"}
        return [words.get(line, line.replace("boot from", "boot")) for line in self.machine.ledger]

    def lie(self) -> None:
        self.machine.faults.add("lies")

    def hush(self) -> None:
        self.machine.faults.add("dead")

    def calm(self) -> None:
        self.mend()

    def break_(self, **faults: Any) -> None:
        self.machine.faults = {fault for fault in FAULTS if fault in faults}

    def mend(self) -> None:
        self.machine.faults.clear()
        self.machine.ledger.clear()

    def stop(self) -> None:
        pass


class ProcessRig:
    """A program of others, in a process of its own."""

    within = 5.0
    make: Callable[[Path], IpmiSim | Emulator]
    words: ClassVar[dict[str, str]]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = type(self).make(folder)
        self.process.start()
        try:
            until_ready(lambda: self.bmc(patience=2.0).power())
        except BmcError:
            self.process.stop()
            raise

    def bmc(self, patience: float = 10.0, **changes: Any) -> BMC:
        target = replace(self.process.target(), **changes)
        return driver(target.protocol)(target, patience=patience)

    def orders(self) -> list[str]:
        return [self.words.get(line, line) for line in self.process.ledger()]

    def lie(self) -> None:
        (self.folder / "lies").touch()

    def hush(self) -> None:
        self.process.freeze()

    def mend(self) -> None:
        self.process.thaw()
        for name in ("lies", "ledger"):
            (self.folder / name).unlink(missing_ok=True)

    def stop(self) -> None:
        self.process.stop()


class IpmiSimRig(ProcessRig):
    """Debian's simulator."""

    make = IpmiSim
    words: ClassVar = {
        "power 1": "on",
        "power 0": "off",
        "shutdown 1": "soft",
        "reset 1": "reset",
        "boot pxe": "boot network",
        "boot default": "boot disk",
        "boot none": "boot default",
    }


class EmulatorRig(ProcessRig):
    """sushy-tools' emulator."""

    make = Emulator
    words: ClassVar = {
        "set_power_state On": "on",
        "set_power_state ForceOff": "off",
        "set_power_state GracefulShutdown": "soft",
        "set_power_state ForceRestart": "reset",
        "set_boot_device Pxe": "boot network",
        "set_boot_device Hdd": "boot disk",
    }


class LabRig:
    """A machine of the lab, over one of its two protocols."""

    within = 5.0
    protocol: str

    def __init__(self, folder: Path) -> None:
        self.lab = Lab(count=1, power_delay=0.02)
        self.lab.__enter__()
        self.machine = self.lab.machines[0]
        self.since = 0
        port = self.machine.ipmi_port if self.protocol == "ipmi" else self.machine.redfish_port
        pin = None if self.protocol == "ipmi" else fingerprint("127.0.0.1", port)
        account = self.lab.account
        self.target = Target(
            protocol="ipmi" if self.protocol == "ipmi" else "redfish",
            host="127.0.0.1",
            port=port,
            username=account.user,
            password=account.password,
            verify=pin,
        )

    def bmc(self, patience: float = 10.0, **changes: Any) -> BMC:
        target = replace(self.target, **changes)
        return driver(target.protocol)(target, patience=patience)

    def orders(self) -> list[str]:
        words = {"power.on": "on", "power.off": "off", "reset": "reset"}
        return [
            "soft"
            if line.value == "soft"
            else f"boot {line.value}"
            if line.effect == "boot"
            else words[line.effect]
            for line in self.lab.ledger.read(since=self.since)
            if line.effect in words or line.effect == "boot"
        ]

    def logins(self) -> list[str]:
        """What became of the logins since the last `mend`."""
        lines = self.lab.ledger.read(since=self.since)
        return [line.effect for line in lines if line.effect.startswith(("login", "logout"))]

    def break_(self, **faults: Any) -> None:
        self.machine.active_faults.current = Faults.from_json(faults)

    def lie(self) -> None:
        self.break_(lies=True)

    def hush(self) -> None:
        self.break_(dead=True)

    def calm(self) -> None:
        """Be healthy with an empty ledger, once the sessions that were opened are closed."""
        self.mend_faults()
        becomes(lambda: self.logins().count("login") <= self.logins().count("logout"), 2.0)
        self.mend()

    def mend_faults(self) -> None:
        """Be healthy, and keep the ledger."""
        self.machine.active_faults.current = Faults()

    def mend(self) -> None:
        self.mend_faults()
        self.since = len(self.lab.ledger.read())

    def stop(self) -> None:
        self.lab.__exit__(None, None, None)


class LabIpmiRig(LabRig):
    protocol = "ipmi"


class LabRedfishRig(LabRig):
    protocol = "redfish"


def until_ready(ask: Callable[[], object], within: float = 30.0) -> None:
    """Wait until a call to a starting server succeeds."""

    def answers() -> bool:
        try:
            ask()
        except BmcError:
            return False
        return True

    until(answers, within, "the server answers")
