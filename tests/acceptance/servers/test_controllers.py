"""Controllers that misbehave: refused logins, wrong answers, refusals, silence; silent installers."""

from dataclasses import dataclass

import pytest

from tests.acceptance.servers.site import IMAGE, Machine, Service, Site, failure, undone
from windlass.models import Run

pytestmark = pytest.mark.postgres
LOGINS = 3  # Refused ones, in ten minutes.


@dataclass(frozen=True, kw_only=True)
class Slow:
    """Runs that try again and again before they end: started together, they wait together."""

    forced: tuple[Machine, str]
    lies: tuple[Machine, str]
    refuses: tuple[Machine, str]
    silent: tuple[Machine, str]

    @classmethod
    def begin(cls, site: Site) -> "Slow":
        """Break a machine in each way and let a run work on it."""
        retired, lying, quiet = (site.available() for _ in range(3))
        refusing = site.registered()
        for machine, fault in ((retired, "dead"), (lying, "lies"), (refusing, "refuse")):
            machine.break_(**{fault: True})
        quiet.set(installer={"mode": "silent"})
        return cls(
            forced=(retired, retired.decommission(force=True)),
            lies=(lying, lying.act("provision", image=IMAGE, on_failure="compensate")),
            refuses=(refusing, refusing.act("powerOff", mode="hard")),
            silent=(quiet, quiet.act("provision", image=IMAGE)),
        )


@pytest.fixture(scope="module")
def begun(on_postgres: Service) -> dict[str, Slow]:
    """The slow runs over each protocol."""
    return {one: Slow.begin(Site(service=on_postgres, protocol=one)) for one in ("ipmi", "redfish")}


@pytest.fixture
def slow(begun: dict[str, Slow], site: Site) -> Slow:
    """The slow runs over the test's own protocol."""
    return begun[site.protocol]


def test_one_that_does_not_answer_is_named_and_tried_again_until_it_does(site: Site) -> None:
    machine = site.machine()
    machine.break_(dead=True)
    run_id = machine.register()
    site.reached(run_id, _is_retried)
    machine.mend()
    assert site.ended(run_id).status == "completed"
    said = {event["error"]["code"] for event in site.events(run_id, "step.retrying")}
    assert (said, machine.server.state) == ({"BMC_CONNECTION_FAILED"}, "registered")


@pytest.mark.usefixtures("begun")
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


def test_a_silent_installer_is_found_out_by_asking(site: Site, slow: Slow) -> None:
    machine, run_id = slow.silent
    assert site.ended(run_id).status == "completed"
    assert site.events(run_id, "hook.executed") == []
    assert machine.server.state == "provisioned"


def test_one_that_refuses_is_named(site: Site, slow: Slow) -> None:
    machine, run_id = slow.refuses
    run = site.ended(run_id)
    assert (run.status, failure(run)) == ("failed", ("BMC_REFUSED", "switch-power"))
    assert (machine.effects, machine.server.state) == ([], "registered")


def test_one_that_says_yes_and_does_nothing_is_found_out_and_named(site: Site, slow: Slow) -> None:
    machine, run_id = slow.lies
    run = site.ended(run_id)
    assert (run.status, failure(run)) == ("failed", ("BMC_UNCONFIRMED", "boot-from"))
    assert undone(run) == ["boot-from", "reserve", "validate"]
    assert (machine.effects, machine.server.state) == ([], "error")


def test_by_force_a_machine_that_does_not_answer_is_retired(site: Site, slow: Slow) -> None:
    machine, run_id = slow.forced
    assert site.ended(run_id).status == "completed"
    assert (machine.server.state, machine.effects) == ("decommissioned", [])


def _is_retried(run: Run) -> bool:
    """Whether a step has failed once and is tried again."""
    return any((step.attempt or 0) > 1 or step.detail == "retry_wait" for step in run.steps)
