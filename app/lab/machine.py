"""One simulated machine: its power, its boot device and what is installed, whichever protocol asks.

Commands are accepted at once and take effect after a short delay, one after the other, as on real hardware.
All methods run in the lab's event loop; reading an attribute is safe from any thread.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from app.lab.faults import ActiveFaults
from app.lab.hardware import Hardware
from app.lab.ledger import Effect, Ledger, Origin

DEVICES = ("default", "network", "disk", "cd", "usb", "setup", "safe", "diag", "floppy", "http")

# The steps that each power command takes, one power delay apart.
COMMANDS: dict[str, tuple[str, ...]] = {
    "on": ("on",),
    "off": ("off",),
    "soft": ("off",),
    "cycle": ("off", "on"),
    "reset": ("reset",),
    "diag": (),
}
_ENDS = {"on": True, "off": False}  # Where a command leads that asks for a state.
_NEED_POWER = {"soft", "cycle", "reset", "diag"}

_ITSELF = Origin(protocol="machine")


class Outcome(Enum):
    """What a BMC says to a power command."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_NOW = "not now"  # the command makes no sense while the machine is off


@dataclass(frozen=True, kw_only=True)
class Boot:
    """Where the machine starts from next, one of `DEVICES`."""

    device: str = "default"
    once: bool = True
    uefi: bool = False


class Machine:
    """A machine behind one BMC."""

    def __init__(self, machine_id: str, ledger: Ledger, *, power_delay: float = 0.2) -> None:
        self.id = machine_id
        self.hardware = Hardware.of(machine_id)
        self.active_faults = ActiveFaults()
        self.boot = Boot()
        self.installed: str | None = None  # image
        self.ipmi_port = 0
        self.redfish_port = 0
        self.power_delay = power_delay  # seconds
        self.started: Callable[[str], None] = lambda device: None  # called at each start
        self.stopped: Callable[[], None] = lambda: None  # called when power goes, and at a reset
        self.forgetful: list[Callable[[], None]] = []  # called when the BMC restarts and loses its sessions
        self.renew_certificate: Callable[[], None] = lambda: None
        self.bmc_restart = 1.0  # seconds for which the BMC does not answer while it restarts
        self._ledger = ledger
        self._on = self._on_before = False
        self._busy_until = 0.0
        self._pending = 0  # steps that were accepted and have not taken effect
        self._deaf_until = 0.0
        self._becoming: bool | None = None

    @property
    def address(self) -> str:
        """Where its BMC listens for IPMI, as host:port."""
        return f"127.0.0.1:{self.ipmi_port}"

    @property
    def redfish_url(self) -> str:
        return f"https://127.0.0.1:{self.redfish_port}"

    @property
    def on(self) -> bool:
        """Whether the power is really on, whatever the BMC reports."""
        return self._on

    def refuses_login(self) -> bool:
        """Whether the next login is refused, whatever its password."""
        waits = self.active_faults.current.when_off and self.power != "off"
        return not waits and self.active_faults.applies("wrong_password")

    @property
    def power(self) -> str:
        return "on" if self._on else "off"

    @property
    def settled(self) -> bool:
        """Whether every accepted command has taken effect."""
        return self._pending == 0

    @property
    def becoming(self) -> bool | None:
        """Whether the machine is on its way to being on, or off; None while it is where it is."""
        return self._becoming

    def reports_on(self) -> bool:
        """What the BMC says about the power, which may be stale."""
        return self._on_before if self.active_faults.applies("stale_power") else self._on

    def ask(self, command: str, origin: Origin) -> Outcome:
        """Take a power command, one of `COMMANDS`; it takes effect after the power delay, if there is one."""
        if self.active_faults.applies("refuse"):
            return Outcome.REFUSED
        if command in _NEED_POWER and not self._on:
            return Outcome.NOT_NOW
        wanted = _ENDS.get(command)
        if wanted is not None and wanted == self.becoming:
            return Outcome.NOT_NOW
        if wanted is not None and wanted == self._on and self.active_faults.applies("already"):
            return Outcome.NOT_NOW
        if self.active_faults.applies("lies"):
            return Outcome.ACCEPTED
        how = command if command in ("soft", "cycle") else "command"
        for step in COMMANDS[command]:
            self._schedule(step, how, origin)
        return Outcome.ACCEPTED

    def set_boot(self, boot: Boot, origin: Origin) -> None:
        """Choose where the machine starts from next."""
        if self.active_faults.applies("lies"):
            return
        self.boot = boot
        self.note("boot", boot.device, origin)

    def set_power(self, on: bool, origin: Origin) -> None:
        """Change the power at once, whatever the faults, as when the power cable is pulled."""
        self._apply("on" if on else "off", "command", origin)

    def restart_bmc(self, origin: Origin) -> None:
        """Restart the BMC: it loses its sessions and does not answer for a moment; the machine runs on."""
        self.note("bmc.reset", None, origin)
        self._deaf_until = asyncio.get_running_loop().time() + self.bmc_restart
        for forget in self.forgetful:
            forget()

    def deaf(self) -> bool:
        """Whether the BMC leaves this request unanswered: it restarts, or is dead."""
        return self._restarting() or self.active_faults.applies("dead")

    def still_deaf(self) -> bool:
        """The same for a request that is already waiting, without counting it again."""
        return self._restarting() or self.active_faults.current.dead

    def _restarting(self) -> bool:
        return asyncio.get_running_loop().time() < self._deaf_until

    def note(self, effect: str, value: str | int | None, origin: Origin) -> Effect:
        """Write an effect on this machine into the ledger."""
        return self._ledger.write(self.id, effect, value, origin)

    def restore(self, past: list[Effect]) -> None:
        """Take up the state that an earlier lab left behind in its ledger."""
        for line in past:
            if line.effect in ("power.on", "power.off"):
                self._on = self._on_before = line.effect == "power.on"
            elif line.effect == "boot":
                self.boot = Boot(device=str(line.value), once=line.protocol != "installer")
            elif line.effect == "boot.started" and self.boot.once:
                self.boot = Boot()
            elif line.effect in ("install.done", "install.set"):
                self.installed = None if line.value is None else str(line.value)
            elif line.effect == "wipe.done":
                self.installed = None

    def _schedule(self, step: str, how: str, origin: Origin) -> None:
        quick = not self.power_delay and not self.active_faults.current.slow_power
        if quick and not self._pending:  # It has happened before it is answered.
            self._apply(step, how, origin)
            return
        loop = asyncio.get_running_loop()
        slow = self.active_faults.delay_of_power() if step != "reset" else 0.0
        if slow:
            self._becoming = step == "on"
        self._busy_until = max(loop.time(), self._busy_until) + self.power_delay + slow
        self._pending += 1
        loop.call_at(self._busy_until, self._due, step, how, origin)

    def _due(self, step: str, how: str, origin: Origin) -> None:
        self._pending -= 1
        self._apply(step, how, origin)

    def _apply(self, step: str, how: str, origin: Origin) -> None:
        if step == "reset":
            if self._on:
                self.note("reset", how, origin)
                self.stopped()
                self._start()
            return
        self._becoming = None
        if (step == "on") == self._on:
            return
        self._on_before, self._on = self._on, step == "on"
        self.note(f"power.{step}", how, origin)
        if self._on:
            self._start()
        else:
            self.stopped()

    def _start(self) -> None:
        device = "disk" if self.boot.device == "default" else self.boot.device
        if self.boot.once:
            self.boot = Boot()
        self.note("boot.started", device, _ITSELF)
        self.started(device)
