"""Texts as IPMI packs them, by the type/length byte of sensor records (43.15) and of inventories (FRU, 13).

pyghmi's own decoders trust the bytes: one of them never ends on 6-bit text. These end for any bytes.
"""

from collections.abc import Sequence

BCD_PLUS = "0123456789 -.:,_"
ENGLISH = (0, 25)
PADDING = "\0 \xfe\xff\x10\x03"  # What firmware fills fields with, erased memory included.
BINARY, BCD, PACKED, PLAIN = range(4)


def name(type_length: int, data: Sequence[int]) -> str:
    """The name in a sensor record: its type in the upper two bits, its length in the lower five."""
    raw = bytes(data[: type_length & 0x1F])
    if type_length >> 6 == BINARY:  # Here it means Unicode, in an encoding that the standard does not name.
        return raw.decode(
            "utf-16-le" if raw[1::2].count(0) * 2 >= len(raw) > 0 else "utf-8", "replace"
        ).strip(PADDING)
    return _text(type_length >> 6, raw)


def field(type_length: int, data: Sequence[int], language: int) -> str:
    """A field of an inventory: its length has six bits, and plain text depends on the language."""
    raw, kind = bytes(data[: type_length & 0x3F]), type_length >> 6
    if kind == BINARY:
        return raw.hex()
    if kind == PLAIN and language not in ENGLISH:
        return raw.decode("utf-16-le", "replace").strip(PADDING)
    return _text(kind, raw)


def _text(kind: int, raw: bytes) -> str:
    if kind == BCD:
        told = "".join(BCD_PLUS[byte >> 4] + BCD_PLUS[byte & 0x0F] for byte in raw)
    elif kind == PACKED:
        told = _packed(raw)
    else:
        told = raw.decode("latin-1")
    return told.strip(PADDING)


def _packed(raw: bytes) -> str:
    """Six bits a character, the first one in the lowest bits."""
    bits = int.from_bytes(raw, "little")
    return "".join(chr(0x20 + (bits >> 6 * place & 0x3F)) for place in range(len(raw) * 8 // 6))
