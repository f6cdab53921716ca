"""Boot devices, on the controllers that can read them back: ipmi_sim never marks its flags as valid."""

import pytest

from app.domain.errors import BmcUnconfirmed
from tests.integration.bmc.conftest import EMULATOR, IPMI_SIM, LABS, MEMORY
from tests.integration.bmc.rigs import Rig


@pytest.mark.parametrize("made_rig", [MEMORY, EMULATOR, *LABS], indirect=True)
@pytest.mark.parametrize("device", ["network", "disk"])
def test_a_boot_device_is_set_and_read_back(rig: Rig, device: str) -> None:
    rig.bmc().boot_from(device)
    assert rig.bmc().boot_device() == device
    assert rig.orders() == [f"boot {device}"]


@pytest.mark.parametrize("made_rig", [MEMORY, *LABS], indirect=True)
@pytest.mark.parametrize("device", ["cdrom", "bios", "default"])
def test_the_rarer_boot_devices_are_known_too(rig: Rig, device: str) -> None:
    rig.bmc().boot_from(device, persistent=True)
    assert rig.bmc().boot_device() == device


@pytest.mark.parametrize("made_rig", [IPMI_SIM], indirect=True)
@pytest.mark.parametrize("device", ["network", "disk"])
def test_a_boot_choice_that_is_never_marked_valid_is_sent_but_not_believed(rig: Rig, device: str) -> None:
    with pytest.raises(BmcUnconfirmed):
        rig.bmc().boot_from(device)
    assert rig.orders() == [f"boot {device}"]
