"""Chassis commands: power and boot device (IPMI 2.0, section 28)."""

from app.lab.ipmi.call import INVALID_FIELD, NOT_NOW, OK, OPERATOR, Call, Command, Table
from app.lab.machine import Boot, Outcome

CHASSIS = 0x00

# Chassis Control (table 28-4).
_CONTROLS = {0: "off", 1: "on", 2: "cycle", 3: "reset", 4: "diag", 5: "soft"}

# The boot flags' device selector (table 28-14).
_DEVICES = {
    0: "default",
    1: "network",
    2: "disk",
    3: "safe",
    4: "diag",
    5: "cd",
    6: "setup",
    0x0F: "floppy",
}
_NUMBERS = {name: number for number, name in _DEVICES.items()}

_BOOT_FLAGS = 5
_VALID, _PERSISTENT, _UEFI = 0x80, 0x40, 0x20
# Set in progress, flag-clearing rule, acknowledge and so on: accepted, without effect here.
_ACCEPTED_PARAMETERS = range(8)


def _capabilities(call: Call) -> bytes:
    return OK + bytes([0, 0x20, 0x20, 0x20, 0x20])


def _status(call: Call) -> bytes:
    power_on = 0x01 if call.machine.reports_on() else 0
    always_stays_off = 0x00
    return OK + bytes([power_on | always_stays_off, 0, 0, 0])


def _control(call: Call) -> bytes:
    command = _CONTROLS.get(call.data[0] & 0x0F)
    if command is None:
        return INVALID_FIELD
    accepted = call.machine.ask(command, call.origin) is Outcome.ACCEPTED
    return OK if accepted else NOT_NOW


def _identify(call: Call) -> bytes:
    return OK


def _set_boot(call: Call) -> bytes:
    parameter = call.data[0] & 0x7F
    if parameter not in _ACCEPTED_PARAMETERS:
        return b"\x80"  # parameter not supported
    if parameter != _BOOT_FLAGS:
        return OK
    if len(call.data) < 6:
        return INVALID_FIELD
    flags, selector = call.data[1], call.data[2] >> 2 & 0x0F
    if selector not in _DEVICES:
        return INVALID_FIELD
    device = _DEVICES[selector] if flags & _VALID else "default"
    call.machine.set_boot(
        Boot(device=device, once=not flags & _PERSISTENT, uefi=bool(flags & _UEFI)), call.origin
    )
    return OK


def _get_boot(call: Call) -> bytes:
    parameter = call.data[0] & 0x7F
    if parameter not in _ACCEPTED_PARAMETERS:
        return b"\x80"
    if parameter != _BOOT_FLAGS:
        return OK + bytes([0x01, parameter, 0, 0])
    boot = call.machine.boot
    flags = (_VALID if boot.device != "default" else 0) | (0 if boot.once else _PERSISTENT)
    flags |= _UEFI if boot.uefi else 0
    selector = _NUMBERS.get(boot.device, 0)
    return OK + bytes([0x01, _BOOT_FLAGS, flags, selector << 2, 0, 0, 0])


COMMANDS: Table = {
    (CHASSIS, 0x00): Command(answer=_capabilities),
    (CHASSIS, 0x01): Command(answer=_status),
    (CHASSIS, 0x02): Command(answer=_control, privilege=OPERATOR, needs=1),
    (CHASSIS, 0x04): Command(answer=_identify, privilege=OPERATOR),
    (CHASSIS, 0x08): Command(answer=_set_boot, privilege=OPERATOR, needs=1),
    (CHASSIS, 0x09): Command(answer=_get_boot, privilege=OPERATOR, needs=3),
}
