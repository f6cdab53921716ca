"""What every controller does for its caller, whoever made it."""

import time
from collections.abc import Callable

import pytest

from app.domain.errors import BmcAuthFailed, BmcConnectionFailed, BmcError, BmcRefused, BmcUnconfirmed
from app.providers.bmc import PowerState
from tests.integration.bmc.conftest import EVERYWHERE
from tests.integration.bmc.rigs import Rig
from tests.support.servers import until

SOON_S = 60.0  # Far below the patience of a call that waits in vain, and generous for a busy machine.
pytestmark = pytest.mark.parametrize("made_rig", EVERYWHERE, indirect=True)


def given(rig: Rig, power: PowerState) -> None:
    """The machine is on or off, and the ledger is empty."""
    rig.bmc().ensure_power(power, within=rig.within)
    rig.mend()


def test_identifying_tells_who_answers(rig: Rig) -> None:
    identity = rig.bmc().identify()
    assert identity.vendor
    assert identity.product or identity.device_id


def test_a_machine_turned_on_reads_on(rig: Rig) -> None:
    given(rig, "off")
    rig.bmc().ensure_power("on", within=rig.within)
    assert rig.bmc().power() == "on"
    assert rig.orders() == ["on"]


def test_a_machine_turned_off_reads_off(rig: Rig) -> None:
    given(rig, "on")
    rig.bmc().ensure_power("off", within=rig.within)
    assert rig.bmc().power() == "off"
    assert rig.orders() == ["off"]


@pytest.mark.parametrize("state", ["on", "off"])
def test_being_there_already_needs_no_order(rig: Rig, state: PowerState) -> None:
    given(rig, state)
    rig.bmc().set_power(state)
    rig.bmc().ensure_power(state, within=rig.within)
    assert rig.orders() == []


def test_a_soft_order_asks_the_system_to_shut_down(rig: Rig) -> None:
    given(rig, "on")
    rig.bmc().ensure_power("off", soft=True, within=rig.within)
    assert rig.orders() == ["soft"]


def test_a_reset_is_sent_once(rig: Rig) -> None:
    given(rig, "on")
    rig.bmc().reset()
    settled(rig, "on")
    assert rig.orders() == ["reset"]


def test_a_machine_that_is_off_cannot_be_reset(rig: Rig) -> None:
    given(rig, "off")
    with pytest.raises(BmcRefused) as caught:
        rig.bmc().reset()
    assert caught.value.details["reason"] == "powered_off"
    assert caught.value.nothing_happened
    assert rig.orders() == []


def test_an_unknown_boot_device_never_reaches_the_machine(rig: Rig) -> None:
    with pytest.raises(BmcRefused) as caught:
        rig.bmc().boot_from("floppy")
    assert caught.value.nothing_happened
    assert not caught.value.retryable
    assert rig.orders() == []


def test_a_wrong_password_is_told_at_once_and_is_final(rig: Rig) -> None:
    given(rig, "off")
    began = time.monotonic()
    with pytest.raises(BmcAuthFailed) as caught:
        rig.bmc(password="not this one", patience=300.0).set_power("on")
    assert time.monotonic() - began < SOON_S
    assert caught.value.nothing_happened
    assert not caught.value.retryable
    assert rig.orders() == []


def test_an_unknown_user_is_told_at_once_and_is_final(rig: Rig) -> None:
    with pytest.raises(BmcAuthFailed) as caught:
        rig.bmc(username="nobody").power()
    assert caught.value.nothing_happened


def test_a_power_order_without_effect_is_found_out(rig: Rig) -> None:
    given(rig, "off")
    rig.lie()
    with pytest.raises(BmcUnconfirmed) as caught:
        rig.bmc().ensure_power("on", within=0.3)
    assert caught.value.details["reason"] == "unconfirmed"
    assert not caught.value.nothing_happened
    assert caught.value.retryable


def test_a_boot_order_without_effect_is_found_out(rig: Rig) -> None:
    now = rig.bmc().boot_device()
    rig.lie()
    with pytest.raises(BmcUnconfirmed):
        rig.bmc().boot_from("disk" if now == "network" else "network")


def test_a_silent_controller_is_given_up_in_time(rig: Rig) -> None:
    given(rig, "off")
    rig.hush()
    began = time.monotonic()
    with pytest.raises(BmcConnectionFailed) as caught:
        rig.bmc(patience=1.0).set_power("on")
    assert time.monotonic() - began < SOON_S
    assert caught.value.details["reason"] == "unreachable"
    assert caught.value.nothing_happened
    assert caught.value.retryable


def test_a_controller_that_speaks_again_is_heard_at_once(rig: Rig) -> None:
    rig.hush()
    with pytest.raises(BmcConnectionFailed):
        rig.bmc(patience=0.5).power()
    rig.mend()
    assert rig.bmc().power() in ("on", "off")


def test_the_hardware_is_told_with_what_is_missing(rig: Rig) -> None:
    told = rig.bmc(patience=30.0).hardware()
    assert told["identity"]["vendor"]
    missing = {each["part"].split(":")[0] for each in told["unavailable"]}
    for part in ("firmware", "sensors", "inventory"):
        assert told[part] or part in missing or part == "firmware"
    assert all(each["reason"] for each in told["unavailable"])


def test_no_failure_tells_the_password(rig: Rig) -> None:
    attempts: tuple[Callable[[], object], ...] = (
        lambda: rig.bmc(password="hunter2-hunter2").power(),
        lambda: rig.bmc().boot_from("floppy"),
    )
    for attempt in attempts:
        with pytest.raises(BmcError) as caught:
            attempt()
        told = f"{caught.value} {caught.value.details} {caught.value.__cause__!r}"
        assert "hunter2" not in told
        assert "secret" not in told
        assert caught.value.details["address"] in str(caught.value)


def settled(rig: Rig, state: PowerState) -> None:
    """Wait until the machine reads so and its ledger has something to tell."""
    until(lambda: rig.bmc().power() == state and bool(rig.orders()), 5, f"power is {state}")
