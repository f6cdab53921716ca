"""Sensors, inventory and the (empty) event log (IPMI 2.0, sections 31, 33, 34 and 35)."""

import struct
import time

from app.lab.hardware import SENSORS, Sensor
from app.lab.ipmi import fru, sdr
from app.lab.ipmi.call import ABSENT, OK, OUT_OF_RANGE, WRONG_RESERVATION, Call, Command, Table

SENSOR, STORAGE = 0x04, 0x0A

_BY_NUMBER: dict[int, Sensor] = {sensor.number: sensor for sensor in SENSORS}
_FRUS = {0: fru.system, sdr.PSU_FRU: fru.power_supply}
# Records never change, so one reservation serves all clients.
_RESERVATION = 0x0001


def _sensor_reading(call: Call) -> bytes:
    sensor = _BY_NUMBER.get(call.data[0])
    return OK + sdr.reading(sensor, call.machine.on) if sensor else ABSENT


def _sensor_thresholds(call: Call) -> bytes:
    sensor = _BY_NUMBER.get(call.data[0])
    return OK + sdr.thresholds(sensor) if sensor else ABSENT


def _fru_area(call: Call) -> bytes:
    make = _FRUS.get(call.data[0])
    in_bytes = 0
    return OK + struct.pack("<HB", len(make(call.machine.hardware)), in_bytes) if make else ABSENT


def _fru_read(call: Call) -> bytes:
    number, offset, count = struct.unpack_from("<BHB", call.data)
    make = _FRUS.get(number)
    if not make:
        return ABSENT
    piece = make(call.machine.hardware)[offset : offset + count]
    return OK + bytes([len(piece)]) + piece if piece else OUT_OF_RANGE


def _sdr_info(call: Call) -> bytes:
    return OK + sdr.REPOSITORY.info()


def _reserve(call: Call) -> bytes:
    return OK + struct.pack("<H", _RESERVATION)


def _sdr_read(call: Call) -> bytes:
    reservation, number, offset, count = struct.unpack_from("<HHBB", call.data)
    if offset and reservation != _RESERVATION:
        return WRONG_RESERVATION
    found = sdr.repository(call.machine.active_faults.current.names).read(number)
    if not found:
        return ABSENT
    following, record = found
    if offset > len(record):
        return OUT_OF_RANGE
    return OK + struct.pack("<H", following) + record[offset : offset + count]


def _sel_info(call: Call) -> bytes:
    """Version 5.1, no entries, free space, never written or erased, reserving is supported."""
    return OK + struct.pack("<BHHIIB", 0x51, 0, 0x4000, 0, 0, 0x02)


def _sel_entry(call: Call) -> bytes:
    return ABSENT


def _sel_time(call: Call) -> bytes:
    return OK + struct.pack("<I", int(time.time()))


COMMANDS: Table = {
    (SENSOR, 0x2D): Command(answer=_sensor_reading, needs=1),
    (SENSOR, 0x27): Command(answer=_sensor_thresholds, needs=1),
    (STORAGE, 0x10): Command(answer=_fru_area, needs=1),
    (STORAGE, 0x11): Command(answer=_fru_read, needs=4),
    (STORAGE, 0x20): Command(answer=_sdr_info),
    (STORAGE, 0x22): Command(answer=_reserve),
    (STORAGE, 0x23): Command(answer=_sdr_read, needs=6),
    (STORAGE, 0x40): Command(answer=_sel_info),
    (STORAGE, 0x42): Command(answer=_reserve),
    (STORAGE, 0x43): Command(answer=_sel_entry, needs=6),
    (STORAGE, 0x48): Command(answer=_sel_time),
}
