"""The sensor data records that describe a machine's sensors (IPMI 2.0, section 43)."""

import struct
from dataclasses import dataclass

from app.lab.hardware import POWER_SUPPLY, SENSORS, Sensor

_BMC = 0x20  # slave address of the owner of all sensors
_VERSION = 0x51
_FULL_SENSOR, _FRU_LOCATOR = 0x01, 0x11
_THRESHOLDS = 0x01  # event/reading type
_LATIN = 0xC0  # type bits of an 8-bit string
_AGE = 0x65000000  # when the repository was last changed; the same for all, so that clients may cache it
PSU_FRU = 1

# Upper non-critical and upper critical, of the six thresholds of a sensor.
_UPPER = 0b011000


@dataclass(frozen=True, kw_only=True)
class Repository:
    """Numbered records, in the order in which they are read."""

    records: tuple[bytes, ...]

    def read(self, number: int) -> tuple[int, bytes] | None:
        """The record with this id and the id of the next; 0xffff stands for the last one."""
        if number == 0xFFFF:
            number = len(self.records) - 1
        if number >= len(self.records):
            return None
        following = number + 1 if number + 1 < len(self.records) else 0xFFFF
        return following, self.records[number]

    def info(self) -> bytes:
        """What Get SDR Repository Info answers: version, count, free space, ages, operations."""
        reserve_supported = 0x02
        return struct.pack("<BHHIIB", _VERSION, len(self.records), 0, _AGE, _AGE, reserve_supported)


def packed_name(text: str, form: str) -> bytes:
    """A name with its type/length byte, packed in one of the ways of 43.15."""
    if form == "six-bit":
        bits = sum((ord(one) - 0x20 & 0x3F) << 6 * place for place, one in enumerate(text.upper()))
        data, kind = bits.to_bytes(-(-6 * len(text) // 8), "little"), 0x80
    elif form == "bcd":
        data, kind = bytes([0x12, 0xA3]), 0x40  # It can write no letters: "12 3".
    else:
        data, kind = text.encode(), 0x00
    return bytes([kind | len(data)]) + data


def _string(text: str) -> bytes:
    return bytes([_LATIN | len(text)]) + text.encode("latin-1")


def _record(number: int, kind: int, body: bytes) -> bytes:
    return struct.pack("<HBBB", number, _VERSION, kind, len(body)) + body


def _full_sensor(number: int, sensor: Sensor) -> bytes:
    """Table 43-1; readings are linear: value = raw * step."""
    key = bytes([_BMC, 0, sensor.number])
    auto_rearm_readable_thresholds = 0x44
    entity = bytes([sensor.entity, sensor.number if sensor.entity != POWER_SUPPLY else 1])
    kinds = bytes([0x7F, auto_rearm_readable_thresholds, sensor.kind, _THRESHOLDS])
    masks = struct.pack("<HHH", 0, 0, _UPPER)
    units = bytes([0x00, sensor.unit, 0x00])
    formula = bytes([0x00, sensor.step & 0xFF, (sensor.step >> 8) << 6, 0, 0, 0, 0])
    nominal = bytes([0x01, sensor.value // sensor.step, 0, 0, 0xFF, 0x00])
    limits = bytes([0xFF, sensor.critical // sensor.step, sensor.warning // sensor.step, 0, 0, 0])
    rest = bytes([0, 0, 0, 0, 0])
    body = key + entity + kinds + masks + units + formula + nominal + limits + rest + _string(sensor.name)
    return _record(number, _FULL_SENSOR, body)


def _fru_locator(number: int, fru: int, entity: int, name: str) -> bytes:
    """Table 43-7, a logical FRU behind the BMC."""
    logical, fru_kind = 0x80, 0x10
    body = bytes([_BMC, fru, logical, 0, 0, fru_kind, 0, entity, 1, 0]) + _string(name)
    return _record(number, _FRU_LOCATOR, body)


REPOSITORY = Repository(
    records=(
        *(_full_sensor(number, sensor) for number, sensor in enumerate(SENSORS)),
        _fru_locator(len(SENSORS), PSU_FRU, POWER_SUPPLY, "PSU 1"),
    )
)


def repository(form: str) -> Repository:
    """The records of a controller that packs the name of its first sensor in this form."""
    if not form:
        return REPOSITORY
    first = REPOSITORY.records[0]
    plain = _string(SENSORS[0].name)
    body = first[5 : -len(plain)] + packed_name(SENSORS[0].name, form)
    return Repository(records=(_record(0, _FULL_SENSOR, body), *REPOSITORY.records[1:]))


def reading(sensor: Sensor, on: bool) -> bytes:
    """What Get Sensor Reading answers: raw value, availability, thresholds crossed."""
    scanning, unavailable = 0xC0, 0x20
    if not on and not sensor.while_off:
        return bytes([0, scanning | unavailable, 0xC0])
    above = (sensor.value >= sensor.warning) << 3 | (sensor.value >= sensor.critical) << 4
    return bytes([sensor.value // sensor.step, scanning, 0xC0 | above])


def thresholds(sensor: Sensor) -> bytes:
    """What Get Sensor Thresholds answers: which are readable, then lower to upper."""
    return bytes([_UPPER, 0, 0, 0, sensor.warning // sensor.step, sensor.critical // sensor.step, 0])
