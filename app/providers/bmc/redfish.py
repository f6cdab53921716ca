"""The Redfish driver, through sushy.

sushy rather than pyghmi's Redfish client: it knows the vendors' deviations in boot settings and ETags and
lets its transport be replaced, so that pins, deadlines and single attempts hold; pyghmi's remembers boot
devices for 30 s and lets socket errors through.

Source: DSP0266 1.20, DSP0268 (ComputerSystem 1.20).
"""

from dataclasses import asdict

from sushy.exceptions import HTTPError
from sushy.resources.constants import PowerState as Reported
from sushy.resources.constants import ResetType
from sushy.resources.system.constants import BootSource, BootSourceOverrideEnabled

from app.domain.errors import BmcRefused, BmcUnconfirmed
from app.providers.bmc import plain_values, power, redfish_parts
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
# What is paused hears no request; it goes on where it stands, or is cut off.
PAUSED_ORDERS: dict[PowerState, tuple[ResetType, ...]] = {
    "on": (ResetType.RESUME, ResetType.ON, ResetType.FORCE_ON),
    "off": (ResetType.FORCE_OFF,),
}
HARD_RESET = (ResetType.FORCE_RESTART, ResetType.POWER_CYCLE)

READINGS: dict[Reported | None, power.Reading] = {
    Reported.ON: power.ON,
    Reported.OFF: power.OFF,
    Reported.POWERING_ON: power.POWERING_ON,
    Reported.POWERING_OFF: power.POWERING_OFF,
    Reported.PAUSED: power.PAUSED,
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

    def power(self) -> PowerState | None:
        with visit(self.target, "read power", self.patience) as here:
            return _reading(here).shown

    def set_power(self, state: PowerState, *, soft: bool = False) -> None:
        with visit(self.target, f"power {state}", self.patience) as here:
            _switch(here, state, soft).order_unless(state, _reading(here))

    def ensure_power(self, state: PowerState, *, soft: bool = False, within: float = 30.0) -> None:
        with visit(self.target, f"power {state}", within + self.patience) as here:
            _switch(here, state, soft).reach(state, _reading(here), within)

    def reset(self) -> None:
        with visit(self.target, "reset", self.patience) as here:
            if _reading(here).settled == "off":
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

    def hardware(self) -> dict[str, object]:
        with visit(self.target, "read the hardware", self.patience * 2) as here:
            who = asdict(redfish_parts.identity(here))
            return dict(plain_values.values({"identity": who, **redfish_parts.read(here)}))


def _reading(here: Visit, *, fresh: bool = False) -> power.Reading:
    return READINGS.get(here.system(fresh=fresh).power_state, power.UNKNOWN)


def _switch(here: Visit, state: PowerState, soft: bool) -> power.Switch:
    def order() -> None:
        paused = here.system().power_state is Reported.PAUSED
        _reset(here, PAUSED_ORDERS[state] if paused else ORDERS[state, soft])

    return power.Switch(
        read=lambda: _reading(here, fresh=True), order=order, refusals=(HTTPError,), fail=here.failure
    )


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
