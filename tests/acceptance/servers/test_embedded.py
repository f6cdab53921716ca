"""One case for each server type on SQLite and the embedded Valkey."""

import pytest

from tests.acceptance.servers.site import IMAGE, PASSWORD, USER, WIPED, Site, failure

IPMI, REDFISH = (pytest.param(("on_sqlite", one), id=one) for one in ("ipmi", "redfish"))
# By day the demo does most of it on the same stack, and tests/integration/types on SQLite.
pytestmark = [pytest.mark.sqlite, pytest.mark.nightly]


@pytest.mark.parametrize("site", [IPMI, REDFISH], indirect=True)
def test_a_machine_lives_from_registration_to_retirement(site: Site) -> None:
    machine = site.available()
    for action, values in (("provision", {"image": IMAGE}), ("reboot", {}), ("deprovision", {})):
        assert site.ended(machine.act(action, **values)).status == "completed"
    assert site.ended(machine.decommission()).status == "completed"
    reboot = ["power.off", "power.on", "boot.started disk"]
    installed = ["power.on", "boot.started network", "install.started", "install.done", "boot disk"]
    given_back = ["boot network", "power.off", *WIPED]
    assert machine.effects == ["boot network", "power.off", *installed, *reboot, *given_back]
    assert machine.server.state == "decommissioned"


@pytest.mark.parametrize("site", [IPMI], indirect=True)
def test_a_failed_installation_is_undone(site: Site) -> None:
    machine = site.available()
    machine.set(installer={"status": "failed"})
    run = site.ended(machine.act("provision", image=IMAGE, on_failure="compensate"))
    assert (run.status, machine.server.state) == ("failed", "error")
    assert machine.effects[-2:] == ["power.off", "boot default"]


@pytest.mark.parametrize("site", [REDFISH], indirect=True)
def test_a_cancelled_installation_is_undone(site: Site) -> None:
    machine = site.available()
    machine.set(installer={"mode": "never"})
    run_id = machine.act("provision", image=IMAGE)
    site.running(run_id, "install")
    site.client.runs.cancel(run_id)
    assert (site.ended(run_id).status, machine.server.state) == ("cancelled", "available")


@pytest.mark.parametrize("site", [IPMI], indirect=True)
def test_a_held_run_goes_on_without_repeating_what_was_done(site: Site) -> None:
    machine = site.available()
    machine.refuses_logins_when_off(failTimes=1)
    run_id = machine.act("provision", image=IMAGE)
    assert site.settled(run_id).detail == "failed_held"
    again = site.client.runs.retry(run_id, from_step="power-2")
    assert site.ended(again.id).status == "completed"
    assert (machine.count("power.off"), machine.count("power.on")) == (1, 1)


@pytest.mark.parametrize("site", [REDFISH], indirect=True)
def test_a_machine_that_was_not_wiped_is_given_to_nobody(site: Site) -> None:
    machine = site.provisioned()
    machine.set(installer={"status": "failed"})
    run = site.settled(machine.act("deprovision", on_failure="hold"))
    assert failure(run) == ("WIPE_FAILED", "wipe")
    assert "provision" not in machine.server.allowed_actions
    machine.set(installer={"status": "ok"})
    again = site.client.runs.retry(run.id, from_="earliest")
    assert (site.ended(again.id).status, machine.server.state) == ("completed", "available")
    assert machine.bmc.installed is None


@pytest.mark.parametrize("site", [IPMI], indirect=True)
def test_one_machine_under_two_addresses_is_one_server(site: Site) -> None:
    machine = site.available()
    other = machine.address.replace("127.0.0.1", "localhost")
    given = {"protocol": "ipmi", "bmc_address": other, "username": USER, "password": PASSWORD}
    run = site.ended(site.client.servers.register(**given).run_id)
    assert run.status == "failed" and run.error is not None
    assert machine.id in run.error.message
