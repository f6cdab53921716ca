"""One run at a time works on a server."""

import pytest

from tests.acceptance.servers.site import IMAGE, Machine, Site
from windlass import Conflict

pytestmark = pytest.mark.postgres


def busy(site: Site) -> tuple[Machine, str]:
    """A machine whose installer never ends, and the run that waits for it."""
    machine = site.available()
    machine.set(installer={"mode": "never"})
    run_id = machine.act("provision", image=IMAGE)
    site.running(run_id, "install")
    return machine, run_id


def test_a_second_run_is_refused_and_told_who_works_there(site: Site) -> None:
    machine, holder = busy(site)
    with pytest.raises(Conflict) as refused:
        machine.act("powerOff")
    assert refused.value.code == "CONFLICT"
    told = refused.value.details["holder"]
    assert (told["runId"], told["step"]) == (holder, "install")
    site.client.runs.cancel(holder)


def test_a_second_run_may_wait_in_line_and_then_runs(site: Site) -> None:
    machine, holder = busy(site)
    waiting = site.client.runs.get(machine.act("powerOn", on_conflict="queue"))
    assert (waiting.status, waiting.detail) == ("pending", "lock_waiting")
    assert waiting.waiting_on and waiting.waiting_on.kind == "lock"
    site.client.runs.cancel(holder)
    assert site.ended(waiting.id).status == "completed"
    assert (machine.server.state, machine.server.power) == ("available", "on")
    assert machine.effects[-2:] == ["power.on", "boot.started disk"]


def test_who_waits_in_line_may_leave_it(site: Site) -> None:
    machine, holder = busy(site)
    waiting = machine.act("powerOff", on_conflict="queue")
    assert site.client.runs.cancel(waiting).status == "cancelled"
    site.client.runs.cancel(holder)
    site.ended(holder)
    assert [lock.run_id for lock in site.client.locks.list(resource=f"server/{machine.id}")] == []


def test_who_comes_first_in_line_may_make_the_next_impossible(site: Site) -> None:
    machine, holder = busy(site)
    first = site.client.runs.start("server.decommission", resource_id=machine.id, on_conflict="queue")
    second = machine.act("powerOn", on_conflict="queue")
    site.client.runs.cancel(holder)
    assert site.ended(first.id).status == "completed"
    late = site.ended(second)
    assert late.error and late.error.code == "INVALID_STATE_TRANSITION"
    assert machine.server.state == "decommissioned"
