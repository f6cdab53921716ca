"""server.provision over real IPMI and real Redfish."""

import pytest

from tests.acceptance.servers.site import IMAGE, Machine, Site, failure, steps, undone
from tests.support.servers import until
from windlass import Conflict, InvalidState

pytestmark = pytest.mark.postgres
STEPS = [
    *("validate", "reserve", "prove-identity", "boot-from", "power", "order-image", "power-2"),
    *("install", "confirm", "settle"),
]
STARTED = ["boot network", "power.off", "power.on", "boot.started network"]
INSTALLED = ["install.started", "install.done", "boot disk"]
GIVEN_UP = ["power.off", "boot default"]


def broken_at_power_on(site: Site, on_failure: str, forever: bool = False) -> tuple[Machine, str]:
    """A provisioning whose controller refuses the login of the step that turns the machine on."""
    machine = site.available()
    machine.refuses_logins_when_off(**({} if forever else {"failTimes": 1}))
    return machine, machine.act("provision", image=IMAGE, on_failure=on_failure)


def test_an_image_is_installed(site: Site) -> None:
    machine = site.available()
    run = site.ended(machine.act("provision", image=IMAGE))
    assert steps(run) == dict.fromkeys(STEPS, "completed")
    assert machine.effects == STARTED + INSTALLED
    shown = machine.raw
    assert (shown["state"], shown["power"], shown["reservedBy"]) == ("provisioned", "on", run.id)
    assert (shown["image"]["url"], machine.bmc.installed) == (IMAGE["url"], IMAGE["url"])
    assert len(site.events(run.id, "hook.executed")) == 1


def test_an_installer_that_failed_fails_it_and_all_is_undone_in_reverse(site: Site) -> None:
    machine = site.available()
    machine.set(installer={"status": "failed"})
    run = site.ended(machine.act("provision", image=IMAGE, on_failure="compensate"))
    assert (run.status, failure(run)) == ("failed", ("INSTALL_FAILED", "install"))
    assert undone(run) == ["power-2", "order-image", "power", "boot-from", "reserve", "validate"]
    assert machine.effects == [*STARTED, "install.started", "install.failed", *GIVEN_UP]
    shown = machine.raw
    assert (shown["state"], shown["runId"], shown["reservedBy"]) == ("error", run.id, None)


def test_an_installer_whose_call_is_lost_has_failed_all_the_same(site: Site) -> None:
    machine = site.available()
    machine.set(installer={"status": "failed", "mode": "silent"})
    run = site.ended(machine.act("provision", image=IMAGE, on_failure="compensate"))
    assert (run.status, failure(run)) == ("failed", ("INSTALL_FAILED", "install"))
    assert machine.effects == [*STARTED, "install.started", "install.failed", *GIVEN_UP]


def test_a_login_refused_in_the_middle_is_named_and_undone_in_reverse(site: Site) -> None:
    machine, run_id = broken_at_power_on(site, "compensate")
    run = site.ended(run_id)
    assert (run.status, failure(run)) == ("failed", ("BMC_AUTH_FAILED", "power-2"))
    assert undone(run) == ["order-image", "power", "boot-from", "reserve", "validate"]
    assert machine.effects == ["boot network", "power.off", "boot default"]
    assert (machine.server.state, machine.server.power) == ("error", "off")


def test_cancelled_while_the_installer_works_all_is_undone(site: Site) -> None:
    machine = site.available()
    machine.set(installer={"mode": "never"})
    run_id = machine.act("provision", image=IMAGE)
    waiting = site.running(run_id, "install")
    assert machine.server.state == "provisioning"
    until(lambda: machine.effects == STARTED, why="the machine has started")
    site.client.runs.cancel(waiting.id)
    run = site.ended(run_id)
    assert (run.status, run.error) == ("cancelled", None)
    assert machine.effects == STARTED + GIVEN_UP
    shown = machine.raw
    assert (shown["state"], shown["reservedBy"], shown["image"]) == ("available", None, None)


def test_held_and_mended_it_goes_on_without_repeating_what_was_done(site: Site) -> None:
    machine, run_id = broken_at_power_on(site, "hold")
    held = site.settled(run_id)
    assert (held.detail, failure(held)[1], machine.server.state) == ("failed_held", "power-2", "provisioning")
    machine.mend()
    run = site.ended(site.client.runs.retry(run_id, from_step="power-2").id)
    assert list(steps(run).values()) == ["skipped"] * 6 + ["completed"] * 4
    assert machine.effects == STARTED + INSTALLED
    assert (machine.server.state, machine.server.run_id) == ("provisioned", run.id)
    assert len(site.events(run.id, "hook.executed")) == 1


def test_a_retry_takes_over_what_must_be_undone(site: Site) -> None:
    machine, run_id = broken_at_power_on(site, "hold")
    site.settled(run_id)
    machine.set(faults={}, installer={"mode": "never"})
    again = site.client.runs.retry(run_id, from_step="power-2")
    site.running(again.id, "install")
    until(lambda: machine.effects == STARTED, why="the machine has started")
    site.client.runs.cancel(again.id)
    run = site.ended(again.id)
    assert undone(run)[-2:] == ["reserve", "validate"]
    assert machine.effects == STARTED + GIVEN_UP
    assert (machine.server.state, machine.raw["reservedBy"]) == ("available", None)


def test_a_held_run_can_be_compensated(site: Site) -> None:
    machine, run_id = broken_at_power_on(site, "hold")
    site.settled(run_id)
    site.client.runs.compensate(run_id, reason="the machine is needed elsewhere")
    assert site.ended(run_id).status == "failed"
    assert machine.effects == ["boot network", "power.off", "boot default"]


def test_a_held_run_can_be_resumed(site: Site) -> None:
    machine, run_id = broken_at_power_on(site, "hold")
    site.settled(run_id)
    site.client.runs.resume(run_id)
    assert site.ended(run_id).status == "completed"
    assert machine.effects == STARTED + INSTALLED


@pytest.mark.parametrize("start", ["boot-from", "install"])
def test_an_installation_that_failed_is_repeated_from_the_boot_device_on(site: Site, start: str) -> None:
    machine = site.available()
    machine.set(installer={"status": "failed"})
    run_id = machine.act("provision", image=IMAGE)
    assert failure(site.settled(run_id)) == ("INSTALL_FAILED", "install")
    machine.forget()
    machine.set(installer={"status": "ok"})
    run = site.ended(site.client.runs.retry(run_id, from_step=start).id)
    assert list(steps(run).values()) == ["skipped"] * 3 + ["completed"] * 7
    assert machine.effects == STARTED + INSTALLED


def test_what_was_undone_is_not_skipped_by_a_retry(site: Site) -> None:
    machine, run_id = broken_at_power_on(site, "compensate")
    site.ended(run_id)
    with pytest.raises(InvalidState) as refused:
        site.client.runs.retry(run_id, from_step="power-2")
    assert refused.value.details["earliestStep"] == "validate"
    run = site.ended(site.client.runs.retry(run_id, from_="earliest").id)
    assert (run.status, machine.server.state) == ("completed", "provisioned")


def test_an_undo_that_cannot_be_done_waits_for_an_operator(site: Site) -> None:
    machine, run_id = broken_at_power_on(site, "compensate", forever=True)
    stuck = site.settled(run_id)
    assert (stuck.detail, stuck.needs_operator) == ("compensation_failed", True)
    assert machine.server.state == "provisioning"
    machine.mend()
    site.client.runs.resume(run_id, reason="the password is right again")
    assert site.ended(run_id).status == "failed"
    assert machine.effects == ["boot network", "power.off", "boot default"]
    assert (machine.server.state, machine.raw["reservedBy"]) == ("error", None)


def test_a_provisioned_machine_is_not_provisioned_again_but_an_order_may_be_repeated(site: Site) -> None:
    machine = site.available()
    order = {"image": IMAGE, "idempotency_key": f"order of {machine.id}"}
    run_id = machine.act("provision", **order)
    site.ended(run_id)
    machine.forget()
    with pytest.raises(InvalidState):
        machine.act("provision", image=IMAGE)
    assert machine.act("provision", **order) == run_id
    assert machine.effects == []


def test_machines_are_taken_from_a_pool(site: Site) -> None:
    pool = site.client.pools.create(f"rack {site.protocol}")
    machines = [site.available(pool_id=pool.id) for _ in range(2)]
    taken = site.client.servers.provision_from_pool(pool.id, IMAGE, count=2)
    for one in taken:
        assert site.ended(one["workflowId"]).status == "completed"
    assert [machine.effects for machine in machines] == [STARTED + INSTALLED] * 2
    full = site.client.pools.get(pool.id).capacity
    assert full and (full.total, full.free) == (2, 0)


def test_a_pool_without_enough_machines_gives_none(site: Site) -> None:
    pool = site.client.pools.create(f"small {site.protocol}")
    machine = site.available(pool_id=pool.id)
    with pytest.raises(Conflict) as refused:
        site.client.servers.provision_from_pool(pool.id, IMAGE, count=2)
    assert refused.value.code == "POOL_CAPACITY_EXCEEDED"
    assert (machine.server.state, machine.raw["reservedBy"], machine.effects) == ("available", None, [])
