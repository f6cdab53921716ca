"""server.inspect over real IPMI and real Redfish."""

import pytest

from tests.acceptance.servers.site import Site, failure, steps, undone

pytestmark = pytest.mark.postgres
STEPS = ["validate", "read-hardware", "save-hardware"]


def test_the_service_knows_what_the_controller_offers(site: Site) -> None:
    machine = site.registered()
    run = site.ended(machine.act("inspect"))
    assert steps(run) == dict.fromkeys(STEPS, "completed")
    shown = machine.raw
    assert (shown["state"], shown["healthStatus"]["status"]) == ("available", "healthy")
    assert shown["serial"] == machine.bmc.hardware.serial
    assert {"identity", "firmware", "sensors"} <= set(shown["hardware"])
    assert shown["hardware"]["sensors"]
    assert machine.effects == []


def test_a_machine_that_runs_an_image_stays_provisioned(site: Site) -> None:
    machine = site.provisioned()
    site.ended(machine.act("inspect"))
    assert machine.server.state == "provisioned"


def test_a_refused_login_fails_it_and_the_server_names_the_run(site: Site) -> None:
    machine = site.registered()
    machine.break_(wrongPassword=True)
    run = site.ended(machine.act("inspect"))
    assert (run.status, failure(run)) == ("failed", ("BMC_AUTH_FAILED", "read-hardware"))
    assert undone(run) == ["validate"]
    assert (machine.server.state, machine.server.run_id) == ("error", run.id)
    assert run.id in machine.raw["healthStatus"]["failureReasons"][0]


def test_cancelled_in_the_middle_the_server_is_what_it_was(site: Site) -> None:
    machine = site.available()
    machine.break_(slow=0.2)
    run_id = machine.act("inspect")
    site.running(run_id, "read-hardware")
    assert machine.server.state == "inspecting"
    site.client.runs.cancel(run_id)
    run = site.ended(run_id)
    assert (run.status, list(steps(run)), undone(run)) == ("cancelled", STEPS[:2], ["validate"])
    assert machine.server.state == "available"


def test_held_and_mended_it_goes_on_from_the_failed_step(site: Site) -> None:
    machine = site.registered()
    machine.break_(wrongPassword=True)
    run_id = machine.act("inspect", on_failure="hold")
    assert site.settled(run_id).detail == "failed_held"
    machine.mend()
    run = site.ended(site.client.runs.retry(run_id, from_step="read-hardware").id)
    assert steps(run) == {**dict.fromkeys(STEPS, "completed"), "validate": "skipped"}
    assert (machine.server.state, site.client.runs.get(run_id).status) == ("available", "failed")
