"""The IPMI driver: standard chassis and device commands over RMCP+, through pyghmi's session.

Commands are sent as numbers instead of through pyghmi's `Command`, because that one asks vendor extensions
first (some open web connections to the controller) and repeats a reset whose answer is lost. pyghmi proposes
cipher suite 17 (SHA-256) and falls back to 3; anything weaker, and IPMI 1.5, is never spoken.

Source: IPMI 2.0, sections 20 (device), 28 (chassis).
"""

from contextlib import suppress
from dataclasses import asdict

from app.domain.errors import BmcRefused, BmcUnconfirmed
from app.providers.bmc import ipmi_parts, plain_values, power
from app.providers.bmc.conversation import Conversation, conversation
from app.providers.bmc.failure import fail
from app.providers.bmc.target import BOOT_DEVICES, Identity, PowerState, Target, took

CHASSIS, APPLICATION = 0x00, 0x06
CHASSIS_STATUS, CHASSIS_CONTROL, SET_BOOT_OPTIONS, GET_BOOT_OPTIONS = 0x01, 0x02, 0x08, 0x09
GET_DEVICE_ID, GET_SYSTEM_GUID = 0x01, 0x37

POWER_DOWN, POWER_UP, HARD_RESET, SOFT_SHUTDOWN = 0, 1, 3, 5
ORDERS: dict[tuple[PowerState, bool], int] = {
    ("off", False): POWER_DOWN,
    ("off", True): SOFT_SHUTDOWN,
    ("on", False): POWER_UP,
    ("on", True): POWER_UP,
}

# Boot option parameters 3 (keep the flags until they are used) and 5 (the flags), table 28-14.
KEEP_FLAGS, BOOT_FLAGS = 3, 5
VALID, PERSISTENT = 0x80, 0x40
DEVICE_NUMBERS = {"default": 0, "network": 1, "disk": 2, "cdrom": 5, "bios": 6}
DEVICE_WORDS = {number: word for word, number in DEVICE_NUMBERS.items()}

# IANA enterprise numbers of the vendors most often met.
VENDORS = {
    2: "IBM",
    11: "HP",
    343: "Intel",
    674: "Dell",
    2011: "Huawei",
    5771: "Cisco",
    7244: "Quanta",
    10368: "Fujitsu",
    10876: "Supermicro",
    15370: "GIGABYTE",
    19046: "Lenovo",
    47196: "HPE",
    47488: "Supermicro",
}


class IpmiBMC:
    """One machine's controller, over IPMI 2.0."""

    def __init__(self, target: Target, *, patience: float = 10.0) -> None:
        self.target = target
        self.patience = patience  # Seconds that one call may take; reading the hardware, six times that.

    def identify(self) -> Identity:
        with conversation(self.target, "identify", self.patience) as talk:
            return identity(talk)

    def power(self) -> PowerState | None:
        with conversation(self.target, "read power", self.patience) as talk:
            return _reading(talk).shown

    def set_power(self, state: PowerState, *, soft: bool = False) -> None:
        with conversation(self.target, f"power {state}", self.patience) as talk:
            _switch(talk, state, soft).order_unless(state, _reading(talk))

    def ensure_power(self, state: PowerState, *, soft: bool = False, within: float = 30.0) -> None:
        with conversation(self.target, f"power {state}", within + self.patience) as talk:
            _switch(talk, state, soft).reach(state, _reading(talk), within)

    def reset(self) -> None:
        with conversation(self.target, "reset", self.patience) as talk:
            # Some controllers accept a reset of a machine that is off, and do nothing.
            if _reading(talk).settled == "off":
                raise talk.failure(BmcRefused, "powered_off")
            talk.order(CHASSIS, CHASSIS_CONTROL, HARD_RESET, once=True)

    def boot_device(self) -> str:
        with conversation(self.target, "read the boot device", self.patience) as talk:
            return _boot(talk)[0]

    def boot_from(self, device: str, *, persistent: bool = False) -> None:
        attempt = f"boot from {device}"
        if device not in BOOT_DEVICES:
            raise fail(BmcRefused, self.target, attempt, "invalid", f"not one of {', '.join(BOOT_DEVICES)}")
        with conversation(self.target, attempt, self.patience) as talk:
            _order_boot(talk, device, persistent)
            found = _boot(talk)
            if not took(found, (device, persistent)):
                raise talk.failure(BmcUnconfirmed, "unconfirmed", f"it reads {found[0]}, staying: {found[1]}")

    def hardware(self) -> dict[str, object]:
        with conversation(self.target, "read the hardware", self.patience * 6) as talk:
            who = identity(talk)
            firmware = [{"name": "BMC", "version": who.firmware}]
            found = {"identity": asdict(who), "firmware": firmware, **ipmi_parts.read(talk)}
            return dict(plain_values.values(found))


def identity(talk: Conversation) -> Identity:
    """Device id, and the GUID where the controller tells one."""
    device = talk.ask(APPLICATION, GET_DEVICE_ID)
    vendor = int.from_bytes(device[6:9], "little")
    return Identity(
        vendor=VENDORS.get(vendor, f"IANA {vendor}"),
        product=str(int.from_bytes(device[9:11], "little")),
        device_id=str(device[0]),
        firmware=f"{device[2] & 0x7F}.{device[3]:02x}",
        guid=_guid(talk),
    )


def _guid(talk: Conversation) -> str | None:
    try:
        raw = talk.ask(APPLICATION, GET_SYSTEM_GUID)
    except BmcRefused:
        return None
    decoded: str = talk.module("pyghmi.ipmi.private.util").decode_wireformat_uuid(raw)
    return decoded


def _reading(talk: Conversation) -> power.Reading:
    return power.ON if talk.ask(CHASSIS, CHASSIS_STATUS)[0] & 1 else power.OFF


def _switch(talk: Conversation, state: PowerState, soft: bool) -> power.Switch:
    return power.Switch(
        read=lambda: _reading(talk),
        order=lambda: talk.order(CHASSIS, CHASSIS_CONTROL, ORDERS[state, soft]),
        refusals=(BmcRefused,),
        fail=talk.failure,
    )


def _boot(talk: Conversation) -> tuple[str, bool]:
    """The device of the next boot, and whether it stays."""
    _, parameter, flags, device = talk.ask(CHASSIS, GET_BOOT_OPTIONS, BOOT_FLAGS, 0, 0)[:4]
    if parameter & 0x80 or not flags & VALID:
        return "default", False
    word = DEVICE_WORDS.get(device >> 2 & 0x0F, "other")
    return word, bool(flags & PERSISTENT) and word != "default"


def _order_boot(talk: Conversation, device: str, persistent: bool) -> None:
    # Without it the flags may lapse after a minute; most controllers that refuse it keep them anyway.
    with suppress(BmcRefused):
        talk.ask(CHASSIS, SET_BOOT_OPTIONS, KEEP_FLAGS, 0x08)
    number = DEVICE_NUMBERS[device]
    flags = (VALID | (PERSISTENT if persistent else 0)) if number else 0
    talk.order(CHASSIS, SET_BOOT_OPTIONS, BOOT_FLAGS, flags, number << 2, 0, 0, 0)
