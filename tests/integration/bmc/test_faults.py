"""A controller that misbehaves is found out, named rightly, and never makes matters worse."""

import time
from typing import Any

import pytest

from app.domain.errors import BmcAuthFailed, BmcConnectionFailed, BmcError, BmcRefused, BmcUnconfirmed
from app.providers.bmc import PowerState
from tests.integration.bmc.conftest import LABS
from tests.integration.bmc.rigs import LabRig, MemoryRig

BREAKABLE = [pytest.param(MemoryRig, id="memory"), *LABS]

breakable = pytest.mark.parametrize("made_rig", BREAKABLE, indirect=True)
lab_only = pytest.mark.parametrize("made_rig", LABS, indirect=True)


def given(rig: MemoryRig | LabRig, power: PowerState, **faults: Any) -> None:
    """The machine is on or off, the ledger is empty, and something is broken."""
    rig.bmc().ensure_power(power, within=rig.within)
    rig.mend()
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
    with pytest.raises(kind) as caught:
        rig.bmc(patience=1.0).set_power("on")
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
    began = time.monotonic()
    with pytest.raises(BmcConnectionFailed):
        rig.bmc(patience=1.0).power()
    assert time.monotonic() - began < 2.5


@lab_only
def test_a_reset_whose_answer_is_late_is_not_repeated(rig: LabRig) -> None:
    given(rig, "on")
    bmc = rig.bmc(patience=6.0)
    rig.break_(slow=0.8)
    bmc.reset()
    rig.mend_faults()
    assert rig.bmc().power() == "on"
    assert rig.orders().count("reset") == 1


@lab_only
def test_every_session_that_is_opened_is_closed(rig: LabRig) -> None:
    given(rig, "off")
    bmc = rig.bmc()
    bmc.ensure_power("on", within=rig.within)
    bmc.boot_from("network")
    bmc.hardware()
    logins = rig.logins()
    assert logins.count("login") == 3
    assert logins.count("logout") == 3


@lab_only
def test_sessions_are_closed_after_a_refusal_too(rig: LabRig) -> None:
    given(rig, "off")
    with pytest.raises(BmcRefused):
        rig.bmc().reset()
    assert rig.logins() == ["login", "logout"]


@lab_only
def test_a_wrong_password_is_tried_once(rig: LabRig) -> None:
    with pytest.raises(BmcAuthFailed):
        rig.bmc(password="not this one").power()
    assert len(rig.logins()) == 1
