"""The BMC capability: power, boot device and hardware of one machine, through its management controller.

Drivers: IPMI (`ipmi`), Redfish (`redfish`), and a complete twin in memory (`memory`). One behaviour suite
runs on all of them (tests/integration/bmc). Every failure is one of the four BMC errors
of contracts/runs.rst#errors.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, cast

from app.domain.errors import BmcRefused
from app.providers.bmc.failure import fail
from app.providers.bmc.fingerprint import fingerprint
from app.providers.bmc.target import BOOT_DEVICES, Identity, PowerState, Target

__all__ = [
    "BMC",
    "BOOT_DEVICES",
    "DRIVERS",
    "Identity",
    "PowerState",
    "Target",
    "connect",
    "driver",
    "fingerprint",
]


class BMC(Protocol):
    """One machine's controller.

    Every call opens, uses and closes its own session; words are wishes for a state, never toggles. Every
    call may raise `BmcConnectionFailed`, `BmcAuthFailed` or `BmcRefused`; ``nothing_happened`` on the error
    is true only when it is certain that no order took effect.
    """

    def identify(self) -> Identity:
        """Who answers: proof of contact, for it takes a command and not merely a login."""

    def power(self) -> PowerState | None:
        """What the controller reports; None when it has a word for it that we have not."""

    def set_power(self, state: PowerState, *, soft: bool = False) -> None:
        """Send the order and return; being there already counts as done. `soft` asks the system to go."""

    def ensure_power(self, state: PowerState, *, soft: bool = False, within: float = 30.0) -> None:
        """Send the order and read back until it is so; `BmcUnconfirmed` after `within` seconds.

        A machine that gets there by itself needs no order; one that is not there yet has the reason
        "on_its_way", which is worth many attempts.
        """

    def reset(self) -> None:
        """Hard chassis reset, sent once and never repeated; `BmcRefused` on a machine that is off."""

    def boot_device(self) -> str:
        """One of `BOOT_DEVICES`, or "other" for a device that has no word here."""

    def boot_from(self, device: str, *, persistent: bool = False) -> None:
        """Choose the device of the next boot and read it back; `BmcUnconfirmed` when it reads otherwise."""

    def hardware(self) -> dict[str, Any]:
        """What the controller really offers.

        ``{"identity": {...}, "firmware": [{"name", "version"}], "sensors": [{"name", "type", "value",
        "units", "health"}], "inventory": [{"name", ...}], "unavailable": [{"part", "reason"}]}``
        """


class Driver(Protocol):
    """What makes a `BMC` for a target; `patience` is the longest a call may take, in seconds."""

    def __call__(self, target: Target, *, patience: float = ...) -> BMC: ...


# By name and not by import: sushy takes long to load, and only who speaks to controllers pays for it.
DRIVERS: Mapping[str, str] = {
    "ipmi": "app.providers.bmc.ipmi:IpmiBMC",
    "redfish": "app.providers.bmc.redfish:RedfishBMC",
}


def driver(protocol: str) -> Driver:
    """The driver for a protocol of `DRIVERS`."""
    module, _, name = DRIVERS[protocol].partition(":")
    return cast(Driver, getattr(import_module(module), name))


def connect(target: Target) -> BMC:
    """The driver for the target's protocol; nothing is sent yet."""
    if target.protocol not in DRIVERS:
        raise fail(BmcRefused, target, "connect", "unsupported", f"no driver for {target.protocol!r}")
    return driver(target.protocol)(target)
