"""A hard reset is sent at most once, whatever happens to the worker that sends it."""

from contextlib import suppress

import psutil
import pytest

from tests.acceptance.servers.site import Machine, Site
from tests.support.servers import until
from windlass.models import Run

pytestmark = pytest.mark.postgres


def killed(site: Site, after: str) -> tuple[Machine, Run]:
    """A hard reset whose worker is killed as soon as something happened to the machine."""
    machine = site.registered()
    machine.set(powerDelayMs=0)
    machine.break_(slow=0.4)
    pool = site.service.stack.pool("worker-bmc")  # Looked for now: it takes long where much runs.
    run_id = machine.act("reboot", mode="hard")
    machine.happens(after)
    for one in pool:
        one.kill()
    for one in site.service.stack.pool("worker-bmc"):  # And those that began while it was looked for them.
        with suppress(psutil.NoSuchProcess):
            one.kill()
    machine.mend()
    return machine, site.settled(run_id)


def test_a_worker_lost_after_the_reset_blocks_the_run_until_somebody_looks(site: Site) -> None:
    machine, blocked = killed(site, after="reset")
    assert (blocked.detail, blocked.needs_operator) == ("blocked", True)
    assert blocked.error and blocked.error.code == "OUTCOME_UNKNOWN"
    site.client.runs.resolve(blocked.id, "hard-reset", reason="the machine has booted")
    assert site.ended(blocked.id).status == "completed"
    assert (machine.count("reset"), machine.server.state) == (1, "registered")


def test_a_worker_lost_before_the_reset_sends_it_when_somebody_says_so(site: Site) -> None:
    machine, blocked = killed(site, after="login")
    assert (blocked.detail, machine.count("reset")) == ("blocked", 0)
    site.client.runs.resume(blocked.id, reason="the machine has not booted")
    assert site.ended(blocked.id).status == "completed"
    until(lambda: machine.count("reset") == 1, why="the reset")


def test_a_controller_without_a_free_session_gets_the_reset_once_it_has_one(site: Site) -> None:
    machine = site.registered()
    machine.break_(sessionLimit=0)
    run_id = machine.act("reboot", mode="hard")
    until(lambda: site.client.runs.get(run_id).detail == "waiting", why="the wait for another attempt")
    machine.mend()
    assert site.ended(run_id).status == "completed"
    machine.happens("reset")
    assert machine.count("reset") == 1
