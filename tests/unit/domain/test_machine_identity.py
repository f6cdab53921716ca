"""Who a machine is: identifiers that its maker gave it, without the fillers that many machines share."""

import pytest

from app.domain.machine_identity import identities

GUID = "4C4C4544-0034-4D10-8051-B6C04F4E3332"
TURNED = "44454C4C-3400-104D-8051-B6C04F4E3332"


def test_both_byte_orders_of_a_guid_are_one_machine() -> None:
    assert identities(GUID, []) == identities(TURNED.lower(), [])


def test_a_serial_number_is_the_same_in_either_case_and_with_blanks() -> None:
    assert identities(None, [" sn-1 ", "SN-1", None]) == ("serial:SN-1",)


@pytest.mark.parametrize(
    "guid", [None, "", "no guid", "0" * 32, "f" * 32, "03000200-0400-0500-0006-000700080009"]
)
def test_a_guid_that_nobody_set_says_nothing(guid: str | None) -> None:
    assert identities(guid, []) == ()


@pytest.mark.parametrize(
    "serial", [None, "", "  ", "0", "000000", "N/A", "To Be Filled By O.E.M.", "Default string", "0123456789"]
)
def test_a_serial_number_that_nobody_set_says_nothing(serial: str | None) -> None:
    assert identities(None, [serial]) == ()
