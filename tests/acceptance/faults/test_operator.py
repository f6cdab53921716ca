"""An undo that cannot be done waits for an operator, who ends it with the command line."""

import json

import pytest

from app.record.runs.doctor import findings
from tests.acceptance.faults.bench import BACK_S, STARTED, Bench
from tests.acceptance.servers.site import IMAGE, Machine, steps
from tests.support.servers import until

pytestmark = pytest.mark.sqlite


def stuck(bench: Bench) -> tuple[Machine, str]:
    """A provisioning that failed, and whose controller refuses the login of the first undo."""
    site = bench.site("ipmi")
    machine = site.available()
    machine.set(installer={"status": "failed", "delayMs": 2_000})
    run_id = machine.act("provision", image=IMAGE, on_failure="compensate")
    site.reached(run_id, lambda run: steps(run)["power-2"] == "completed")
    machine.break_(wrongPassword=True)
    site.settled(run_id)
    return machine, run_id


def test_an_undo_that_is_exhausted_is_resolved_by_hand(embedded: Bench) -> None:
    machine, run_id = stuck(embedded)

    waiting = json.loads(embedded.windlass("run", "list", "--waiting", "-o", "json").stdout)
    assert [(one["detail"], one["waitingOn"]["kind"]) for one in waiting if one["id"] == run_id] == [
        ("compensation_failed", "operator")
    ]
    machine.set(faults={}, power="off")
    done = embedded.windlass("run", "resolve", run_id, "--yes", "--reason", "switched off by hand")

    assert done.returncode == 0, done.stderr
    run = embedded.ended(run_id)
    undos = {step.undoes: step.detail for step in run.compensation}
    assert (run.status, undos.pop("power-2")) == ("failed", "resolved")
    assert set(undos.values()) == {"completed"}
    assert machine.effects == [*STARTED, "install.started", "install.failed", "power.off", "boot default"]


def test_what_the_operator_did_is_in_the_log_and_the_doctor_is_content(embedded: Bench) -> None:
    machine, run_id = stuck(embedded)
    machine.mend()
    assert (
        embedded.windlass("run", "resume", run_id, "--reason", "the password is right again").returncode == 0
    )
    assert embedded.ended(run_id).status == "failed"
    (action,) = embedded.site("ipmi").events(run_id, "operator.action")
    assert (action["action"], action["reason"]) == ("resume", "the password is right again")
    until(lambda: not embedded.db.read(findings), BACK_S, "the doctor finds nothing")
    assert embedded.windlass("doctor").returncode == 0
