"""A complete controller in memory: the words, refusals and faults of the real ones, and a ledger of orders.

machine = Machine(power="on")
bmc = machine.bmc()
machine.faults.add("lies")
bmc.ensure_power("off")          # BmcUnconfirmed, at once
machine.ledger                   # ["power off"]
"""

from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from app.domain.errors import BmcAuthFailed, BmcConnectionFailed, BmcError, BmcRefused, BmcUnconfirmed
from app.providers.bmc.failure import fail
from app.providers.bmc.target import BOOT_DEVICES, Identity, PowerState, Target, took

Fault = Literal[
    "dead",  # No answer to anything.
    "drop",  # The answer to an order is lost; the order is carried out.
    "wrongPassword",  # The login is refused.
    "sessionLimit",  # No free session.
    "refuse",  # Every order is refused.
    "lies",  # Every order is accepted, and nothing happens.
    "stalePower",  # The power reported is the one from before the last change.
]
FAULTS: tuple[Fault, ...] = get_args(Fault)

LOGIN_FAULTS: dict[Fault, tuple[type[BmcError], str]] = {
    "dead": (BmcConnectionFailed, "unreachable"),
    "wrongPassword": (BmcAuthFailed, "password"),
    "sessionLimit": (BmcConnectionFailed, "session_limit"),
}


@dataclass
class Machine:
    """One machine: what it is, what is wrong with it, and every order that reached it, oldest first."""

    power: PowerState = "off"
    boot: tuple[str, bool] = ("default", False)
    identity: Identity = field(default_factory=lambda: Identity(vendor="Windlass", product="Memory"))
    faults: set[Fault] = field(default_factory=set)
    ledger: list[str] = field(default_factory=list)
    before: PowerState = "off"  # The power before its last change.
    username: str = "admin"
    password: str = "secret"

    def turn(self, state: PowerState) -> None:
        """Be on or off, and remember what was before."""
        if self.power != state:
            self.before, self.power = self.power, state

    def bmc(self, target: Target | None = None) -> "MemoryBMC":
        """A driver for this machine, at an address that does not exist unless one is given."""
        return MemoryBMC(
            self,
            target or Target(protocol="ipmi", host="memory", port=623, username="admin", password="secret"),
        )


class MemoryBMC:
    """One machine's controller, in memory; nothing waits."""

    def __init__(self, machine: Machine, target: Target) -> None:
        self.machine, self.target = machine, target

    def identify(self) -> Identity:
        self._login("identify")
        return self.machine.identity

    def power(self) -> PowerState | None:
        self._login("read power")
        return self._reported()

    def set_power(self, state: PowerState, *, soft: bool = False) -> None:
        attempt = f"power {state}"
        self._login(attempt)
        if self._reported() != state and self._order(
            attempt, "soft off" if soft and state == "off" else attempt
        ):
            self.machine.turn(state)
            self._answer(attempt)

    def ensure_power(self, state: PowerState, *, soft: bool = False, within: float = 30.0) -> None:
        self.set_power(state, soft=soft)
        if self._reported() != state:
            raise self._unconfirmed(f"power {state}", f"not {state} after {within:g} s")

    def reset(self) -> None:
        self._login("reset")
        if self._reported() == "off":
            raise fail(BmcRefused, self.target, "reset", "powered_off")
        if self._order("reset", "reset"):
            self._answer("reset")

    def boot_device(self) -> str:
        self._login("read the boot device")
        return self.machine.boot[0]

    def boot_from(self, device: str, *, persistent: bool = False) -> None:
        attempt = f"boot from {device}"
        if device not in BOOT_DEVICES:
            raise fail(BmcRefused, self.target, attempt, "invalid", f"not one of {', '.join(BOOT_DEVICES)}")
        self._login(attempt)
        if self._order(attempt, attempt):
            self.machine.boot = (device, persistent and device != "default")
            self._answer(attempt)
        if not took(self.machine.boot, (device, persistent)):
            raise self._unconfirmed(attempt, f"it reads {self.machine.boot[0]}")

    def hardware(self) -> dict[str, object]:
        self._login("read the hardware")
        unavailable = [
            {"part": part, "reason": "a machine in memory has none"} for part in ("sensors", "inventory")
        ]
        identity = asdict(self.machine.identity)
        return {
            "identity": identity,
            "firmware": [],
            "sensors": [],
            "inventory": [],
            "unavailable": unavailable,
        }

    def _login(self, attempt: str) -> None:
        if self.target.username != self.machine.username:
            raise fail(BmcAuthFailed, self.target, attempt, "user")
        if self.target.password != self.machine.password:
            raise fail(BmcAuthFailed, self.target, attempt, "password")
        for fault, (kind, reason) in LOGIN_FAULTS.items():
            if fault in self.machine.faults:
                raise fail(kind, self.target, attempt, reason)

    def _order(self, attempt: str, entry: str) -> bool:
        """Whether an order that arrived is carried out."""
        faults = self.machine.faults
        if "refuse" in faults:
            raise fail(BmcRefused, self.target, attempt, "refused")
        self.machine.ledger.append(entry)
        return "lies" not in faults

    def _answer(self, attempt: str) -> None:
        if "drop" in self.machine.faults:
            raise fail(BmcConnectionFailed, self.target, attempt, "lost", nothing_happened=False)

    def _reported(self) -> PowerState:
        return self.machine.before if "stalePower" in self.machine.faults else self.machine.power

    def _unconfirmed(self, attempt: str, hint: str) -> BmcUnconfirmed:
        return fail(BmcUnconfirmed, self.target, attempt, "unconfirmed", hint, nothing_happened=False)
