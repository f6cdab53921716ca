"""What an IPMI controller tells about the machine: sensors from its SDR, inventory from its FRU.

Many controllers have one, few have both; what is absent is named with a reason instead of failing the whole.
Source: IPMI 2.0, sections 33 (SDR), 34 (FRU), 35 (sensors).
"""

from collections.abc import Callable
from itertools import islice
from typing import Any

from app.domain.errors import BmcConnectionFailed, BmcError
from app.providers.bmc import ipmi_records, ipmi_text
from app.providers.bmc.conversation import NONSENSE, Conversation

Part = list[dict[str, object]]

SENSOR, STORAGE = 0x04, 0x0A
GET_SENSOR_READING, GET_FRU_SIZE, READ_FRU = 0x2D, 0x10, 0x11
FRU_CHUNK = 16  # The largest piece that every controller gives; some refuse 24.
FRU_LIMIT = 8192
MOST_SENSORS = 512
HEALTH = {0: "ok", 1: "warning", 2: "critical", 4: "failed"}


def read(talk: Conversation) -> dict[str, object]:
    """``{"sensors": [...], "inventory": [...], "unavailable": [{"part", "reason"}]}``."""
    parts: dict[str, Callable[[Conversation], Part]] = {"sensors": sensors, "inventory": inventory}
    found: dict[str, Any] = {"unavailable": []}
    trouble: tuple[type[Exception], ...] = (BmcError, *talk.library_errors, *NONSENSE)
    for part, reader in parts.items():
        try:
            found[part] = reader(talk)
        except BmcConnectionFailed:
            raise
        except trouble as error:
            found[part] = []
            found["unavailable"].append({"part": part, "reason": _reason(error)})
    return found


def sensors(talk: Conversation) -> Part:
    """Name, kind, value and health of every sensor that answers."""
    command = plain_command(talk)
    catalogue = ipmi_records.catalogue(talk, command)
    found = []
    for number in islice(catalogue.get_sensor_numbers(), MOST_SENSORS):
        sensor = catalogue.sensors[number]
        answer = talk.session.raw_command(
            netfn=SENSOR, command=GET_SENSOR_READING, rslun=sensor.sensor_lun, data=(sensor.sensor_number,)
        )
        if "error" not in answer:
            found.append(_reading(talk, command, sensor, answer["data"]))
    return found


def inventory(talk: Conversation) -> Part:
    """Chassis, board and product of the machine itself (FRU 0)."""
    size = int.from_bytes(talk.ask(STORAGE, GET_FRU_SIZE, 0)[:2], "little")
    raw = bytearray()
    while len(raw) < min(size, FRU_LIMIT):
        wanted = min(FRU_CHUNK, size - len(raw))
        piece = talk.ask(STORAGE, READ_FRU, 0, len(raw) & 0xFF, len(raw) >> 8, wanted)[1:]
        if not piece:
            break
        raw += piece
    fields = _fru(talk.module("pyghmi.ipmi.fru"))(rawdata=raw).info or {}
    return [{"name": "System", **{name: value for name, value in fields.items() if _sayable(value)}}]


def _fru(module: Any) -> Any:
    """Pyghmi's reader of inventories, with our decoder of texts."""

    class Inventory(module.FRU):  # type: ignore[misc]
        def _decode_tlv(self, offset: int, lang: int = 0) -> tuple[str | None, int]:
            told = self.databytes[offset]
            size = told & 0x3F
            text = ipmi_text.field(told, self.databytes[offset + 1 : offset + 1 + size], lang)
            return text or None, offset + 1 + size

    return Inventory


def _reading(talk: Conversation, command: object, sensor: Any, data: object) -> dict[str, object]:
    """What a sensor says; one that makes no sense is there without a value."""
    odd: tuple[type[Exception], ...] = (*NONSENSE, *talk.library_errors)
    try:
        return _row(sensor.decode_sensor_reading(command, data))
    except odd:
        kind = str(sensor.sensor_type)
        return {"name": sensor.name, "type": kind, "value": None, "units": None, "health": "unknown"}


def plain_command(talk: Conversation) -> object:
    """Pyghmi's `Command` around the open session, with its vendor extensions left out."""
    module = talk.module("pyghmi.ipmi.command")
    command = module.Command.__new__(module.Command)
    vars(command).update(
        ipmi_session=talk.session,
        bmc=talk.target.host,
        _sdr=None,
        _sdrcachedir=None,
        _oem=module.genericoem.OEMHandler(None, None),
        _oemknown=True,
    )
    return command


def _row(reading: Any) -> dict[str, object]:
    return {
        "name": reading.name,
        "type": reading.type,
        "value": reading.value,
        "units": reading.units.strip() if reading.units else None,
        "health": HEALTH.get(reading.health, "unknown"),
    }


def _reason(error: Exception) -> str:
    reason = error.details["reason"] if isinstance(error, BmcError) else str(error)
    return str(reason) or type(error).__name__


def _sayable(value: object) -> bool:
    return isinstance(value, str | int | float) and value != ""
