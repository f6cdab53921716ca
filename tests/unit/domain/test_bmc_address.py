"""The address of a controller: one form for every way to write it, and a refusal for everything else."""

import pytest

from app.domain.bmc_address import normal, split


@pytest.mark.parametrize(
    ("protocol", "written", "address"),
    [
        ("ipmi", "10.9.0.3", "10.9.0.3:623"),
        ("redfish", "10.9.0.3", "10.9.0.3:443"),
        ("redfish", " 10.9.0.3 ", "10.9.0.3:443"),
        ("redfish", "10.9.0.3.", "10.9.0.3:443"),
        ("redfish", "127.0.0.1:039403", "127.0.0.1:39403"),
        ("redfish", "BMC01.Example.", "bmc01.example:443"),
        ("redfish", "bmc_7.example:8443", "bmc_7.example:8443"),
        ("redfish", "fd00::7", "[fd00::7]:443"),
        ("redfish", "[fd00::7]", "[fd00::7]:443"),
        ("redfish", "[fd00:0:0::7]:443", "[fd00::7]:443"),
        ("redfish", "FD00:0:0:0:0:0:0:7", "[fd00::7]:443"),
        ("redfish", "[::ffff:10.9.0.3]", "10.9.0.3:443"),
        ("ipmi", "fe80::1%eth0", "[fe80::1%eth0]:623"),
    ],
)
def test_every_spelling_of_a_controller_is_one_address(protocol: str, written: str, address: str) -> None:
    assert normal(written, protocol) == address
    assert normal(address, protocol) == address


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            " ",
            ":",
            ":443",
            "bmc 7",
            "bmc\t7",
            "127.0.0.1\x1b[2J",
            "10.9.0.1\n",
            "a\0b",
            "10.9.0.1\u00a0",
        ),
        *("10.9.0.1:²", "10.9.0.1:٤٤٣", "10.9.0.1:", "10.9.0.1:0", "10.9.0.1:65536", "10.9.0.1:+44"),
        *(
            "10.9.0.1:4 3",
            "10.9.0.1:1e2",
            "10.9.0.1:0x50",
            "[10.9.0.1]",
            "[fd00::7",
            "fd00::7]",
            "[fd00::7]443",
        ),
        *("010.9.0.3", "10.9.0", "127.1", "2130706433", "0x7f.1", "10.9.0.256", "10.9.0.1..", "bmc..example"),
        *(
            "-bmc",
            "bmc-",
            "bmc/1",
            "user@bmc",
            "http://bmc",
            "büro",
            "1²",
            "a" * 64,
            ".".join(["a" * 60] * 5),
        ),
        *("fd00::g", "fd00:::7", "[fd00::7%a b]", "[]", "[]:443", "bmc?x", "bmc#x", "[fd00::7]:443:443"),
    ],
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"is not the address of a controller|is not a port") as refused:
        normal(written, "redfish")

    assert str(refused.value).isascii()
    assert str(refused.value).isprintable()


def test_an_address_is_taken_apart_again() -> None:
    assert [split(normal(one, "ipmi")) for one in ("fd00::7", "bmc:7")] == [("fd00::7", 623), ("bmc", 7)]
