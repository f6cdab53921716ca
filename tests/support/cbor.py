"""CBOR as the DevKit's client writes it: long heads, bytes under tag 64, members that are undefined."""

import struct
from typing import Any

UNDEFINED = object()


def encoded(value: Any) -> bytes:
    """A value as CBOR."""
    if value is UNDEFINED:
        return b"\xf7"
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, dict):
        inside = b"".join(encoded(name) + encoded(one) for name, one in value.items())
        return b"\xb9" + struct.pack(">H", len(value)) + inside
    if isinstance(value, list):
        return b"\x99" + struct.pack(">H", len(value)) + b"".join(map(encoded, value))
    if isinstance(value, bytes):
        return b"\xd8\x40\x5a" + struct.pack(">I", len(value)) + value
    if isinstance(value, str):
        raw = value.encode()
        return b"\x7a" + struct.pack(">I", len(raw)) + raw
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    return b"\x1a" + struct.pack(">I", value)
