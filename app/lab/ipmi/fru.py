"""Inventory in the FRU information format (Platform Management FRU Information Storage Definition 1.2)."""

from app.lab.hardware import Hardware

_ENGLISH = 25
_RACK_MOUNT = 0x17
_TEXT = 0xC0
_END_OF_FIELDS = b"\xc1"
# Minutes since 1996 of the day on which all lab machines were built, 2024-01-01.
_BUILT = (14726880).to_bytes(3, "little")


def system(hardware: Hardware) -> bytes:
    """FRU 0: chassis, board and product."""
    chassis = _area(bytes([_RACK_MOUNT]), hardware.part_number, hardware.serial)
    board = _area(
        bytes([_ENGLISH]) + _BUILT,
        hardware.manufacturer,
        f"{hardware.model} Board",
        f"B-{hardware.serial}",
        hardware.part_number,
        "",
    )
    product = _area(
        bytes([_ENGLISH]),
        hardware.manufacturer,
        hardware.model,
        hardware.part_number,
        "1.0",
        hardware.serial,
        "",
        "",
    )
    return _storage(chassis, board, product)


def power_supply(hardware: Hardware) -> bytes:
    """FRU 1: a power supply, product area only."""
    product = _area(
        bytes([_ENGLISH]), hardware.manufacturer, "PSU 800W", "PSU-800", "1.0", f"P-{hardware.serial}", "", ""
    )
    return _storage(b"", b"", product)


def _storage(chassis: bytes, board: bytes, product: bytes) -> bytes:
    offsets, at = [], 1
    for area in (chassis, board, product):
        offsets.append(at if area else 0)
        at += len(area) // 8
    header = bytes([0x01, 0, *offsets, 0, 0])
    return header + _checksum(header) + chassis + board + product


def _area(head: bytes, *fields: str) -> bytes:
    body = head + b"".join(_field(text) for text in fields) + _END_OF_FIELDS
    length = -(-(2 + len(body) + 1) // 8)
    area = (bytes([0x01, length]) + body).ljust(length * 8 - 1, b"\x00")
    return area + _checksum(area)


def _field(text: str) -> bytes:
    # A one-character text has the same first byte as the end mark, so it is padded.
    padded = text.ljust(2) if text else ""
    return bytes([_TEXT | len(padded)]) + padded.encode("latin-1")


def _checksum(data: bytes) -> bytes:
    return bytes([-sum(data) & 0xFF])
