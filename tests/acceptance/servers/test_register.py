"""server.register over real IPMI and real Redfish."""

import pytest

from tests.acceptance.servers.site import Site, failure, steps, undone

pytestmark = pytest.mark.postgres
STEPS = ["validate", "connect-bmc", "register-host", "settle"]


def test_a_machine_enters_the_inventory(site: Site) -> None:
    machine = site.machine(power="on")
    machine.forget()
    run = site.ended(machine.register(display_name="rack 7"))
    assert steps(run) == dict.fromkeys(STEPS, "completed")
    server = machine.server
    assert (server.state, server.power, server.display_name) == ("registered", "on", "rack 7")
    assert set(server.allowed_actions) == {
        *("inspect", "powerOn", "powerOff", "reboot", "maintenance", "decommission")
    }
    assert machine.effects == []


def test_a_refused_login_fails_it_and_the_server_names_the_run(site: Site) -> None:
    machine = site.machine()
    run = site.ended(machine.register(password="wrong"))
    assert (run.status, failure(run)) == ("failed", ("BMC_AUTH_FAILED", "connect-bmc"))
    assert undone(run) == ["validate"]
    assert (machine.server.state, machine.server.run_id) == ("error", run.id)
    assert machine.count("login.refused") == 1
