"""The rigs as fixtures: one of each kind for a module, mended before each test."""

from collections.abc import Iterator

import pytest

from tests.integration.bmc.emulator import PRESENT
from tests.integration.bmc.ipmi_sim import BINARY
from tests.integration.bmc.rigs import EmulatorRig, IpmiSimRig, LabIpmiRig, LabRedfishRig, MemoryRig, Rig
from tests.support.servers import needs

LAB_IPMI = pytest.param(LabIpmiRig, id="lab-ipmi")
LAB_REDFISH = pytest.param(LabRedfishRig, id="lab-redfish")
LABS = [LAB_IPMI, LAB_REDFISH]
IPMI_SIM = pytest.param(
    IpmiSimRig,
    id="ipmi_sim",
    marks=[pytest.mark.ipmi_sim, needs(BINARY, "Debian's openipmi is not installed")],
)
EMULATOR = pytest.param(EmulatorRig, id="emulator", marks=needs(PRESENT, "sushy-tools is not installed"))
MEMORY = pytest.param(MemoryRig, id="memory")
EVERYWHERE = [MEMORY, IPMI_SIM, EMULATOR, *LABS]


@pytest.fixture(scope="module")
def made_rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A rig of the kind that the test's parameter names."""
    rig: Rig = request.param(tmp_path_factory.mktemp("rig"))
    yield rig
    rig.stop()


@pytest.fixture
def rig(made_rig: Rig) -> Iterator[Rig]:
    """A healthy rig with an empty ledger; what the test breaks is mended."""
    made_rig.mend()
    yield made_rig
    made_rig.mend()
