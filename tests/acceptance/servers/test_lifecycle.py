"""server.lifecycle over real IPMI and real Redfish: power, deprovisioning, maintenance."""

import pytest

from tests.acceptance.servers.site import IMAGE, WIPED, Machine, Site, failure, steps, undone
from tests.support.servers import until
from windlass import InvalidState

pytestmark = pytest.mark.postgres
DEPROVISION = [
    *("validate", "boot-from", "switch-power", "order-wipe", "switch-power-2", "wipe"),
    *("switch-power-3", "boot-from-2", "free", "settle"),
]


def broken_at_the_second_login(site: Site, on_failure: str) -> tuple[Machine, str]:
    """A deprovisioning whose controller refuses the login that would turn the machine off."""
    machine = site.provisioned()
    machine.break_(slow=0.2)
    run_id = machine.act("deprovision", on_failure=on_failure)
    machine.happens("login")
    machine.break_(wrongPassword=True, failTimes=1)
    return machine, run_id


@pytest.mark.parametrize(
    ("action", "values", "effects"),
    [
        ("powerOn", {}, []),
        ("powerOff", {"mode": "soft"}, ["power.off"]),
        ("powerOff", {"mode": "hard"}, ["power.off"]),
        ("reboot", {"mode": "soft"}, ["power.off", "power.on", "boot.started disk"]),
        ("reboot", {"mode": "hard"}, ["reset", "boot.started disk"]),
    ],
)
def test_power_of_a_machine_that_is_on(
    site: Site, action: str, values: dict[str, str], effects: list[str]
) -> None:
    machine = site.registered()
    run = site.ended(machine.act(action, **values))
    assert (run.status, set(steps(run).values())) == ("completed", {"completed"})
    until(lambda: machine.effects == effects, why=f"{effects}")
    power = "off" if action == "powerOff" else "on"
    assert (machine.server.state, machine.server.power) == ("registered", power)


def test_what_is_off_is_turned_on(site: Site) -> None:
    machine = site.registered()
    machine.set(power="off")
    machine.forget()
    run = site.ended(machine.act("powerOn"))
    assert steps(run) == dict.fromkeys(["validate", "switch-power", "settle"], "completed")
    assert machine.effects == ["power.on", "boot.started disk"]
    assert machine.server.power == "on"


def test_soft_is_soft(site: Site) -> None:
    machine = site.registered()
    site.ended(machine.act("powerOff"))
    off = site.service.lab.ledger.read(machine.bmc.id, machine.mark, "power.off")
    assert [one.value for one in off] == ["soft"]


def test_a_machine_that_is_off_is_not_reset(site: Site) -> None:
    machine = site.registered()
    machine.set(power="off")
    machine.forget()
    run = site.ended(machine.act("reboot", mode="hard"))
    assert (run.status, failure(run)) == ("failed", ("BMC_REFUSED", "hard-reset"))
    assert machine.effects == []


def test_maintenance_keeps_new_work_away(site: Site) -> None:
    machine = site.available()
    assert site.ended(machine.act("maintenance", enabled=True)).status == "completed"
    assert machine.server.maintenance
    with pytest.raises(InvalidState):
        site.client.servers.provision(machine.id, IMAGE)
    assert site.ended(machine.act("maintenance", enabled=False)).status == "completed"
    assert (machine.raw["maintenance"], machine.server.state, machine.effects) == (False, "available", [])


def test_a_provisioned_machine_is_given_back(site: Site) -> None:
    machine = site.provisioned()
    run = site.ended(machine.act("deprovision"))
    assert steps(run) == dict.fromkeys(DEPROVISION, "completed")
    assert machine.effects == ["boot network", "power.off", *WIPED]
    shown = machine.raw
    assert (shown["state"], shown["image"], shown["reservedBy"]) == ("available", None, None)
    assert machine.bmc.installed is None


def test_a_machine_that_was_not_wiped_is_given_to_nobody(site: Site) -> None:
    machine = site.provisioned()
    machine.set(installer={"status": "failed"})
    run = site.settled(machine.act("deprovision", on_failure="hold"))
    assert (failure(run), run.error and run.error.retry_from) == (("WIPE_FAILED", "wipe"), "boot-from")
    with pytest.raises(InvalidState, match="retry the run from there"):
        site.client.runs.resume(run.id)
    machine.set(installer={"status": "ok"})
    machine.forget()
    again = site.client.runs.retry(run.id, from_="earliest")
    assert (site.ended(again.id).status, again.from_step) == ("completed", "boot-from")
    assert (machine.effects, machine.server.state) == (["boot network", "power.off", *WIPED], "available")


def test_a_failed_wipe_that_is_undone_leaves_a_machine_in_use(site: Site) -> None:
    machine = site.provisioned()
    machine.set(installer={"status": "failed"})
    assert site.ended(machine.act("deprovision", on_failure="compensate")).status == "failed"
    server = machine.server
    assert (server.state, machine.raw["image"]["url"]) == ("error", IMAGE["url"])
    assert not {"provision", "decommission"} & set(server.allowed_actions)
    with pytest.raises(InvalidState):
        site.client.servers.provision(machine.id, IMAGE)


def test_a_power_action_that_fails_leaves_what_the_machine_is_and_heals(site: Site) -> None:
    machine = site.provisioned()
    machine.break_(wrongPassword=True)
    run = site.ended(machine.act("powerOff", mode="hard"))
    shown = machine.raw
    assert (run.status, shown["state"], shown["healthStatus"]["status"]) == (
        *("failed", "provisioned"),
        "unhealthy",
    )
    assert run.id in str(shown["healthStatus"]["failureReasons"])
    assert "provision" not in shown["allowedActions"]
    machine.mend()
    site.ended(machine.act("powerOff", mode="hard"))
    health = machine.raw["healthStatus"]
    assert (machine.server.state, health["status"], health["failureReasons"]) == (
        "provisioned",
        "healthy",
        [],
    )


def test_a_refused_login_in_the_middle_is_named_and_the_server_says_error(site: Site) -> None:
    machine, run_id = broken_at_the_second_login(site, "compensate")
    run = site.ended(run_id)
    assert (run.status, failure(run)) == ("failed", ("BMC_AUTH_FAILED", "switch-power"))
    assert undone(run) == ["boot-from", "validate"]
    assert (machine.server.state, machine.server.run_id) == ("error", run.id)
    assert (machine.effects, machine.raw["image"]["url"]) == (["boot network", "boot default"], IMAGE["url"])


def test_cancelled_in_the_middle_the_state_is_what_it_was(site: Site) -> None:
    machine = site.registered()
    machine.set(powerDelayMs=1500)
    run_id = machine.act("powerOff", mode="hard")
    machine.happens("login")
    site.client.runs.cancel(run_id)
    run = site.ended(run_id)
    assert (run.status, list(steps(run)), undone(run)) == (
        *("cancelled", ["validate", "switch-power"]),
        ["validate"],
    )
    assert (machine.server.state, machine.effects) == ("registered", ["power.off"])


def test_held_and_mended_it_goes_on_without_repeating_what_was_done(site: Site) -> None:
    machine, run_id = broken_at_the_second_login(site, "hold")
    assert site.settled(run_id).detail == "failed_held"
    machine.mend()
    run = site.ended(site.client.runs.retry(run_id, from_step="switch-power").id)
    assert list(steps(run).values()) == ["skipped"] * 2 + ["completed"] * 8
    assert machine.effects == ["boot network", "power.off", *WIPED]
    assert (machine.server.state, machine.server.run_id) == ("available", run.id)
