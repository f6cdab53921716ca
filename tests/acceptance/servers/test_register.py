"""server.register over real IPMI and real Redfish."""

import pytest

from app.domain.ids import new_id
from tests.acceptance.servers.site import PASSWORD, USER, Site, failure, steps, undone
from windlass import Conflict, InvalidState, NotFound

pytestmark = pytest.mark.postgres
STEPS = ["validate", "connect-bmc", "register-host", "settle"]
ALLOWED = {"inspect", "powerOn", "powerOff", "reboot", "maintenance", "decommission"}


def test_a_machine_enters_the_inventory(site: Site) -> None:
    machine = site.machine(power="on")
    machine.forget()
    run = site.ended(machine.register(display_name="rack 7"))
    assert steps(run) == dict.fromkeys(STEPS, "completed")
    server = machine.server
    assert (server.state, server.power, server.display_name) == ("registered", "on", "rack 7")
    assert set(server.allowed_actions) == ALLOWED
    assert machine.effects == []


def test_every_session_is_closed_again(site: Site) -> None:
    machine = site.registered()
    machine.mark = 0
    machine.happens("logout", machine.count("login"))


def test_a_controller_is_registered_once(site: Site) -> None:
    machine = site.registered()
    with pytest.raises(Conflict) as refused:
        machine.register()
    assert refused.value.details["server"] == machine.id


def test_a_machine_is_registered_once_whichever_of_its_controllers_is_named(site: Site) -> None:
    machine = site.available()
    protocol, port = ("redfish", machine.bmc.redfish_port)
    if site.protocol == "redfish":
        protocol, port = ("ipmi", machine.bmc.ipmi_port)
    again = site.client.servers.register(
        protocol=protocol, bmc_address=f"localhost:{port}", username=USER, password=PASSWORD
    )
    run = site.ended(again.run_id)
    assert (run.status, failure(run)) == ("failed", ("CONFLICT", "register-host"))
    assert machine.id in str(run.error)
    server = site.client.servers.get(again.resource.id)
    assert set(server.allowed_actions) == {"inspect", "maintenance", "decommission"}
    assert site.ended(site.client.servers.decommission(server.id).run_id).status == "completed"
    assert machine.effects == []  # It was not turned off.


def test_a_refused_login_fails_it_and_the_server_names_the_run(site: Site) -> None:
    machine = site.machine()
    machine.break_(wrongPassword=True)
    run = site.ended(machine.register())
    assert (run.status, failure(run)) == ("failed", ("BMC_AUTH_FAILED", "connect-bmc"))
    assert undone(run) == ["validate"]
    assert (machine.server.state, machine.server.run_id) == ("error", run.id)
    assert machine.count("login.refused") == 1


def test_cancelled_in_the_middle_it_goes_no_further(site: Site) -> None:
    machine = site.machine()
    machine.break_(slow=0.3)
    run_id = machine.register()
    site.running(run_id, "connect-bmc")
    site.client.runs.cancel(run_id, reason="wrong rack")
    run = site.ended(run_id)
    assert (run.status, run.error) == ("cancelled", None)
    assert list(steps(run)) == STEPS[:2]
    assert (undone(run), machine.server.state) == (["validate"], "error")


def test_held_and_mended_it_goes_on_from_the_failed_step(site: Site) -> None:
    machine = site.machine()
    run_id = machine.register(password="wrong", on_failure="hold")
    held = site.settled(run_id)
    assert (held.detail, held.needs_operator, failure(held)[0]) == ("failed_held", True, "BMC_AUTH_FAILED")
    machine.set_credential()
    run = site.ended(site.client.runs.retry(run_id, from_step="connect-bmc").id)
    assert steps(run) == {**dict.fromkeys(STEPS, "completed"), "validate": "skipped"}
    assert (run.retry_of, machine.server.state) == (run_id, "registered")


def test_only_what_failed_to_be_registered_is_registered_again(site: Site) -> None:
    start = site.client.runs.start
    with pytest.raises(NotFound):
        start("server.register", resource_id=new_id("srv"))
    with pytest.raises(InvalidState):
        start("server.register", resource_id=site.registered().id)
    machine = site.machine()
    machine.break_(wrongPassword=True, failTimes=1)
    site.ended(machine.register())
    assert site.ended(start("server.register", resource_id=machine.id).id).status == "completed"
    assert machine.server.state == "registered"


def test_what_failed_and_was_undone_can_be_registered_again(site: Site) -> None:
    machine = site.machine()
    machine.break_(wrongPassword=True, failTimes=1)
    failed = site.ended(machine.register())
    run = site.ended(site.client.runs.retry(failed.id).id)
    assert steps(run) == dict.fromkeys(STEPS, "completed")
    assert machine.server.state == "registered"
