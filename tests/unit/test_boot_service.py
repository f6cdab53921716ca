"""The boot service's client: orders, asks, withdraws, and says what is wrong."""

from collections.abc import Iterator

import pytest

from app.domain.errors import Permanent
from app.lab import Lab
from app.providers.boot import BootService, BootServiceFailed, Order

IMAGE = {"url": "https://images.example/debian.qcow2", "checksum": "abc"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One machine; its lab is the boot service."""
    with Lab(1) as opened:
        yield opened


def test_an_order_is_open_until_the_machine_has_installed_it(lab: Lab) -> None:
    boot = BootService(lab.control_url)

    boot.order(lab.machines[0].address, IMAGE, "http://127.0.0.1:9/hook")

    assert boot.ordered(lab.machines[0].address) == Order()


def test_an_order_can_be_withdrawn_twice(lab: Lab) -> None:
    boot = BootService(lab.control_url)

    boot.withdraw(lab.machines[0].address)
    boot.withdraw(lab.machines[0].address)

    assert boot.ordered(lab.machines[0].address) == Order()


def test_a_machine_that_the_service_does_not_know_is_an_error_that_names_the_call(lab: Lab) -> None:
    with pytest.raises(BootServiceFailed, match=r"POST http://.*/boot: HTTP Error 404"):
        BootService(lab.control_url).order("10.9.9.9:623", IMAGE, "http://127.0.0.1:9/hook")


def test_a_service_that_is_away_may_be_tried_again() -> None:
    with pytest.raises(BootServiceFailed) as failed:
        BootService("http://127.0.0.1:9").ordered("10.0.0.1:623")

    assert failed.value.retryable


def test_without_a_service_the_setting_is_named() -> None:
    with pytest.raises(Permanent, match="WINDLASS_BOOT_URL"):
        BootService("").withdraw("10.0.0.1:623")
