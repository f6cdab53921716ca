"""Texts as IPMI packs them: every type ends for any bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.providers.bmc.ipmi_text import field, name

SIX_BIT, BCD, LATIN = 0x80, 0x40, 0xC0


@pytest.mark.parametrize(
    ("type_length", "data", "text"),
    [
        (BCD | 3, bytes([0x12, 0xA3, 0xB4]), "12 3-4"),
        (BCD | 1, bytes([0x05]), "05"),
        (LATIN | 4, "Lüft".encode("latin-1"), "Lüft"),
        (LATIN | 6, b"PSU\0\xff\xff", "PSU"),
        (LATIN | 2, b"AB and the next record", "AB"),
        (0x00 | 4, "Lüf".encode(), "Lüf"),
        (0x00 | 6, "abc".encode("utf-16-le"), "abc"),
        (LATIN, b"", ""),
    ],
)
def test_a_name_is_decoded_by_its_type(type_length: int, data: bytes, text: str) -> None:
    assert name(type_length, data) == text


@pytest.mark.parametrize("text", ["CPU1TEMP", "A", "AB", "ABC", "FAN 12", "_[\\]^"])
def test_six_bit_text_of_any_length_is_read(text: str) -> None:
    packed = sum((ord(one) - 0x20) << 6 * place for place, one in enumerate(text))
    data = packed.to_bytes(-(-6 * len(text) // 8), "little")
    assert name(SIX_BIT | len(data), data) == text


def test_a_field_of_an_inventory_depends_on_its_language() -> None:
    assert field(LATIN | 4, "ab".encode("utf-16-le"), language=1) == "ab"
    assert field(LATIN | 2, b"ab", language=25) == "ab"
    assert field(0x00 | 2, b"\x01\xff", language=25) == "01ff"


@given(st.integers(0, 255), st.binary(max_size=80), st.integers(0, 255))
def test_any_bytes_have_an_end(type_length: int, data: bytes, language: int) -> None:
    assert isinstance(name(type_length, data), str)
    assert isinstance(field(type_length, data, language), str)
