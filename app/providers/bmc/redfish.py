"""The Redfish driver, through sushy.

sushy rather than pyghmi's Redfish client: it knows the vendors' deviations in boot settings and ETags and
lets its transport be replaced, so that pins, deadlines and single attempts hold; pyghmi's remembers boot
devices for 30 s and lets socket errors through.

Source: DSP0266 1.20, DSP0268 (ComputerSystem 1.20).
"""

from dataclasses import asdict
from typing import Any

from sushy.resources.constants import PowerState as Reported
from sushy.resources.constants import ResetType
from sushy.resources.system.constants import BootSource, BootSourceOverrideEnabled

from app.domain.errors import BmcConnectionFailed, BmcRefused, BmcUnconfirmed
from app.providers.bmc import redfish_parts
from app.providers.bmc.confirm import becomes
from app.providers.bmc.failure import fail
from app.providers.bmc.redfish_session import Visit, visit
from app.providers.bmc.target import BOOT_DEVICES, Identity, PowerState, Target, took

# The words of the standard, the best first; machines differ in which of them they offer.
ORDERS: dict[tuple[PowerState, bool], tuple[ResetType, ...]] = {
    ("on", False): (ResetType.ON, ResetType.FORCE_ON),
    ("on", True): (ResetType.ON, ResetType.FORCE_ON),
    ("off", False): (ResetType.FORCE_OFF,),
    ("off", True): (ResetType.GRACEFUL_SHUTDOWN,),
}
HARD_RESET = (ResetType.FORCE_RESTART, ResetType.POWER_CYCLE)

# A machine on its way is not there yet.
POWER: dict[Reported, PowerState] = {
    Reported.ON: "on",
    Reported.OFF: "off",
    Reported.POWERING_ON: "off",
    Reported.POWERING_OFF: "on",
}

SOURCES = {
    "network": BootSource.PXE,
    "disk": BootSource.HDD,
    "cdrom": BootSource.CD,
    "bios": BootSource.BIOS_SETUP,
}
DEVICES = {
    **{source: device for device, source in SOURCES.items()},
    BootSource.USB_CD: "cdrom",
    BootSource.UEFI_HTTP: "network",
    BootSource.NONE: "default",
}


class RedfishBMC:
    """One machine's controller, over Redfish."""

    def __init__(self, target: Target, *, patience: float = 30.0) -> None:
        self.target = target
        self.patience = patience  # Seconds that one call may take; the inventory may take twice that.

    def identify(self) -> Identity:
        with visit(self.target, "identify", self.patience) as here:
            return redfish_parts.identity(here)

    def power(self) -> PowerState:
        with visit(self.target, "read power", self.patience) as here:
            return _power(here)

    def set_power(self, state: PowerState, *, soft: bool = False) -> None:
        with visit(self.target, f"power {state}", self.patience) as here:
            _order_power(here, state, soft)

    def ensure_power(self, state: PowerState, *, soft: bool = False, within: float = 30.0) -> None:
        with visit(self.target, f"power {state}", within + self.patience) as here:
            _order_power(here, state, soft)
            if not becomes(lambda: _power(here, fresh=True) == state, within):
                raise here.failure(BmcUnconfirmed, "unconfirmed", f"not {state} after {within:g} s")

    def reset(self) -> None:
        with visit(self.target, "reset", self.patience) as here:
            if _power(here) == "off":
                raise here.failure(BmcRefused, "powered_off")
            _reset(here, HARD_RESET)

    def boot_device(self) -> str:
        with visit(self.target, "read the boot device", self.patience) as here:
            return _boot(here)[0]

    def boot_from(self, device: str, *, persistent: bool = False) -> None:
        attempt = f"boot from {device}"
        if device not in BOOT_DEVICES:
            raise fail(BmcRefused, self.target, attempt, "invalid", f"not one of {', '.join(BOOT_DEVICES)}")
        with visit(self.target, attempt, self.patience) as here:
            _order_boot(here, device, persistent)
            found = _boot(here, fresh=True)
            if not took(found, (device, persistent)):
                raise here.failure(BmcUnconfirmed, "unconfirmed", f"it reads {found[0]}, staying: {found[1]}")

    def hardware(self) -> dict[str, Any]:
        with visit(self.target, "read the hardware", self.patience * 2) as here:
            return {"identity": asdict(redfish_parts.identity(here)), **redfish_parts.read(here)}


def _power(here: Visit, *, fresh: bool = False) -> PowerState:
    reported = here.system(fresh=fresh).power_state
    if reported not in POWER:
        raise here.failure(BmcConnectionFailed, "garbled", f"power state {reported}")
    return POWER[reported]


def _order_power(here: Visit, state: PowerState, soft: bool) -> None:
    if _power(here) != state:
        _reset(here, ORDERS[state, soft])


def _reset(here: Visit, words: tuple[ResetType, ...]) -> None:
    system = here.system()
    offered = system.get_allowed_reset_system_values()
    word = next((word for word in words if word in offered), None)
    if word is None:
        raise here.failure(BmcRefused, "unsupported", f"it does not offer {words[0].value}")
    with here.ordering():
        system.reset_system(word)


def _boot(here: Visit, *, fresh: bool = False) -> tuple[str, bool]:
    """The device of the next boot, and whether it stays."""
    boot = here.system(fresh=fresh).boot
    if not boot or boot.enabled in (None, BootSourceOverrideEnabled.DISABLED):
        return "default", False
    device = DEVICES.get(boot.target, "other")
    return device, boot.enabled is BootSourceOverrideEnabled.CONTINUOUS and device != "default"


def _order_boot(here: Visit, device: str, persistent: bool) -> None:
    enabled = BootSourceOverrideEnabled.CONTINUOUS if persistent else BootSourceOverrideEnabled.ONCE
    with here.ordering():
        if device == "default":
            here.system().set_system_boot_options(enabled=BootSourceOverrideEnabled.DISABLED)
        else:
            here.system().set_system_boot_options(target=SOURCES[device], enabled=enabled)
