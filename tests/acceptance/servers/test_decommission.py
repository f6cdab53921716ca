"""server.decommission over real IPMI and real Redfish."""

import pytest

from tests.acceptance.servers.site import Site, failure, steps, undone
from tests.support.plain import http
from windlass import NotFound

pytestmark = pytest.mark.postgres
STEPS = ["validate", "drain", "remove-record"]


def test_a_machine_leaves_the_inventory(site: Site) -> None:
    machine = site.available()
    run = site.ended(machine.decommission())
    assert steps(run) == dict.fromkeys(STEPS, "completed")
    assert (machine.effects, machine.server.state) == (["power.off"], "decommissioned")
    listed = http.get(f"{site.client.base_url}/v1/servers", params={"q": machine.address}).json()["data"]
    assert machine.id not in [one["id"] for one in listed]
    with pytest.raises(NotFound):
        machine.set_credential()


def test_its_controller_can_be_registered_again(site: Site) -> None:
    machine = site.available()
    before = machine.id
    site.ended(machine.decommission())
    assert site.ended(machine.register()).status == "completed"
    assert machine.id != before


def test_a_refused_login_fails_it_and_the_server_names_the_run(site: Site) -> None:
    machine = site.available()
    machine.break_(wrongPassword=True)
    run = site.ended(machine.decommission())
    assert (run.status, failure(run)) == ("failed", ("BMC_AUTH_FAILED", "drain"))
    assert undone(run) == ["validate"]
    assert (machine.server.state, machine.server.run_id, machine.effects) == ("error", run.id, [])


def test_cancelled_in_the_middle_the_machine_stays(site: Site) -> None:
    machine = site.available()
    machine.set(powerDelayMs=1500)
    run_id = machine.decommission()
    machine.happens("login")
    site.client.runs.cancel(run_id)
    run = site.ended(run_id)
    assert (run.status, list(steps(run)), undone(run)) == ("cancelled", STEPS[:2], ["validate"])
    assert machine.server.state == "available"
    assert site.ended(machine.act("powerOn")).status == "completed"


def test_held_and_mended_it_goes_on_from_the_failed_step(site: Site) -> None:
    machine = site.available()
    machine.break_(wrongPassword=True)
    run = site.client.runs.start("server.decommission", resource_id=machine.id, on_failure="hold")
    assert site.settled(run.id).detail == "failed_held"
    machine.mend()
    again = site.ended(site.client.runs.retry(run.id, from_step="drain").id)
    assert steps(again) == {**dict.fromkeys(STEPS, "completed"), "validate": "skipped"}
    assert (machine.effects, machine.server.state) == (["power.off"], "decommissioned")
