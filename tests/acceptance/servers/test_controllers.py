"""Controllers that misbehave: refused logins, lies, silence."""

import pytest

from tests.acceptance.servers.site import IMAGE, Site, failure, undone
from windlass.models import Run

pytestmark = pytest.mark.postgres
LOGINS = 3  # Refused ones, in ten minutes.


def test_after_three_refused_logins_the_controller_is_left_alone(site: Site) -> None:
    machine = site.registered()
    machine.break_(wrongPassword=True)
    runs = [site.ended(machine.act("inspect")) for _ in range(LOGINS + 2)]
    assert {failure(run) for run in runs} == {("BMC_AUTH_FAILED", "read-hardware")}
    assert machine.count("login.refused") == LOGINS
    assert runs[-1].error and "left alone until" in runs[-1].error.message


def test_a_new_credential_is_tried_at_once(site: Site) -> None:
    machine = site.registered()
    machine.break_(wrongPassword=True)
    for _ in range(LOGINS + 1):
        site.ended(machine.act("inspect"))
    machine.mend()
    machine.set_credential()
    assert site.ended(machine.act("inspect")).status == "completed"


def test_one_that_says_yes_and_does_nothing_is_found_out_and_named(site: Site) -> None:
    machine = site.available()
    machine.break_(lies=True)
    run = site.ended(machine.act("provision", image=IMAGE, on_failure="compensate"))
    assert (run.status, failure(run)) == ("failed", ("BMC_UNCONFIRMED", "boot-from"))
    assert undone(run) == ["boot-from", "reserve", "validate"]
    assert (machine.effects, machine.server.state) == ([], "error")


def test_one_that_does_not_answer_is_named_and_tried_again_until_it_does(site: Site) -> None:
    machine = site.machine()
    machine.break_(dead=True)
    run_id = machine.register()
    waiting = site.reached(run_id, lambda run: _retried(run) is not None)
    assert (_retried(waiting), waiting.waiting_on and waiting.waiting_on.kind) == (
        "BMC_CONNECTION_FAILED",
        "timer",
    )
    machine.mend()
    assert site.ended(run_id).status == "completed"


def test_one_that_refuses_is_named(site: Site) -> None:
    machine = site.registered()
    machine.break_(refuse=True)
    run = site.ended(machine.act("powerOff", mode="hard"))
    assert (run.status, failure(run)) == ("failed", ("BMC_REFUSED", "switch-power"))
    assert (machine.effects, machine.server.state) == ([], "error")


def _retried(run: Run) -> str | None:
    """The code of the error after which a step waits for its next attempt."""
    return next((one.error.code for one in run.steps if one.detail == "retry_wait" and one.error), None)
