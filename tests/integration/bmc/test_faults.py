"""A controller that misbehaves is found out, named rightly, and never makes matters worse."""

import time
from collections.abc import Callable
from threading import Timer
from typing import Any

import pytest
from sushy import exceptions as sushy_exceptions
from sushy.resources.constants import ResetType

from app.domain.errors import BmcAuthFailed, BmcConnectionFailed, BmcError, BmcRefused, BmcUnconfirmed
from app.providers.bmc import PowerState
from app.providers.bmc.confirm import becomes
from app.providers.bmc.conversation import conversation
from app.providers.bmc.ipmi import CHASSIS, CHASSIS_CONTROL, HARD_RESET
from app.providers.bmc.redfish_session import visit
from tests.integration.bmc.conftest import IPMI_SIM, LAB_IPMI, LAB_REDFISH, LABS, MEMORY
from tests.integration.bmc.rigs import IpmiSimRig, LabRig, MemoryRig

BREAKABLE = [MEMORY, *LABS]

breakable = pytest.mark.parametrize("made_rig", BREAKABLE, indirect=True)
lab_only = pytest.mark.parametrize("made_rig", LABS, indirect=True)


def given(rig: MemoryRig | LabRig, power: PowerState, **faults: Any) -> None:
    """The machine is on or off, the ledger is empty, and something is broken."""
    rig.bmc().ensure_power(power, within=rig.within)
    rig.calm()
    rig.break_(**faults)


@breakable
@pytest.mark.parametrize(
    ("faults", "kind", "reason"),
    [
        ({"wrongPassword": True}, BmcAuthFailed, "password"),
        ({"sessionLimit": 0}, BmcConnectionFailed, "session_limit"),
        ({"dead": True}, BmcConnectionFailed, "unreachable"),
        ({"refuse": True}, BmcRefused, "refused"),
    ],
    ids=["wrongPassword", "sessionLimit", "dead", "refuse"],
)
def test_a_fault_before_the_order_is_named_and_harmless(
    rig: MemoryRig | LabRig, faults: dict[str, Any], kind: type[BmcError], reason: str
) -> None:
    given(rig, "off", **faults)
    patience = 1.0 if reason == "unreachable" else 30.0  # Who answers is heard on a busy machine, too.
    with pytest.raises(kind) as caught:
        rig.bmc(patience=patience).set_power("on")
    assert caught.value.details["reason"] == reason
    assert caught.value.nothing_happened
    assert rig.orders() == []


@breakable
@pytest.mark.parametrize("state", ["on", "off"])
def test_stale_power_is_not_taken_for_done(rig: MemoryRig | LabRig, state: PowerState) -> None:
    given(rig, "off" if state == "on" else "on")
    rig.bmc().ensure_power(state, within=rig.within)
    rig.break_(stalePower=True)
    assert rig.bmc().power() != state
    with pytest.raises(BmcUnconfirmed):
        rig.bmc().ensure_power(state, within=0.4)


@lab_only
def test_a_slow_controller_is_waited_for(rig: LabRig) -> None:
    given(rig, "off", slow=0.2)
    rig.bmc(patience=20.0).ensure_power("on", within=5.0)
    rig.mend()
    assert rig.bmc().power() == "on"


@lab_only
def test_a_slow_controller_is_given_up_in_time(rig: LabRig) -> None:
    given(rig, "off", slow=5.0)
    with pytest.raises(BmcConnectionFailed):  # Whoever waits for it is answered.
        rig.bmc(patience=1.0).power()


@pytest.mark.parametrize("made_rig", [LAB_IPMI], indirect=True)
def test_lost_datagrams_are_made_up_for(rig: LabRig) -> None:
    given(rig, "on", drop=0.15, seed=7)
    assert rig.bmc(patience=90.0).power() == "on"


@pytest.mark.parametrize("made_rig", [LAB_REDFISH], indirect=True)
def test_a_reset_whose_answer_is_cut_off_may_have_happened(rig: LabRig) -> None:
    given(rig, "on")
    with visit(rig.target, "reset", 5.0) as here:
        rig.break_(slow=0.1)
        with pytest.raises(sushy_exceptions.ConnectionError), here.ordering():
            here.line.deadline = time.monotonic() + 0.05
            here.system().reset_system(ResetType.FORCE_RESTART)
        assert not here.failure(BmcConnectionFailed, "lost").nothing_happened
        rig.mend_faults()
    until(lambda: rig.orders() == ["reset"])


@pytest.mark.parametrize("made_rig", [IPMI_SIM], indirect=True)
@pytest.mark.parametrize(("once", "resets"), [(True, 1), (False, 2)])
def test_only_an_order_to_be_sent_once_is_not_repeated(rig: IpmiSimRig, once: bool, resets: int) -> None:
    rig.bmc().ensure_power("on", within=rig.within)
    rig.mend()
    with conversation(rig.process.target(), "reset", 8.0) as talk:
        rig.hush()
        # Longer than pyghmi's first patience (0.5 to 1 s), shorter than its second.
        Timer(1.3, rig.process.thaw).start()
        talk.order(CHASSIS, CHASSIS_CONTROL, HARD_RESET, once=once)
    until(lambda: len(rig.orders()) == resets)
    assert rig.orders() == ["reset"] * resets


@lab_only
def test_every_session_that_is_opened_is_closed(rig: LabRig) -> None:
    given(rig, "off")
    bmc = rig.bmc()
    bmc.ensure_power("on", within=rig.within)
    bmc.boot_from("network")
    bmc.hardware()
    until(lambda: rig.logins() == ["login", "logout"] * 3)


@lab_only
def test_sessions_are_closed_after_a_refusal_too(rig: LabRig) -> None:
    given(rig, "off")
    with pytest.raises(BmcRefused):
        rig.bmc().reset()
    until(lambda: rig.logins() == ["login", "logout"])


@pytest.mark.parametrize("made_rig", [LAB_REDFISH], indirect=True)
def test_a_wrong_password_is_tried_once(rig: LabRig) -> None:
    with pytest.raises(BmcAuthFailed):
        rig.bmc(password="not this one").power()
    assert rig.logins() == ["login.refused"]


def until(holds: Callable[[], bool]) -> None:
    """Wait for what the lab writes down a moment after it was sent."""
    assert becomes(holds, 5.0)
