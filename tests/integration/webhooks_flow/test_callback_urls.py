"""A callback from the order that names it to the run's end, and what retries and retention make of it."""

from functools import partial

import pytest

from app.auth.keys import LOCAL
from app.domain.errors import ValidationFailed
from app.record.runs import runs as run_rows
from app.record.tables import run, webhook
from app.services import runs
from tests.integration.webhooks_flow.receiver import Inbox
from tests.integration.webhooks_flow.rig import Rig
from tests.support import probes


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/", "https://0x0a000001/", "https://10.1/", "ftp://receiver.example/", "x"]
)
def test_a_url_that_can_never_be_called_is_refused_and_nothing_starts(rig: Rig, url: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        rig.start(callback_url=url)
    assert list(refused.value.details["fields"]) == ["callbackUrl"]
    assert rig.rows(run) == rig.rows(webhook) == []


def test_a_host_name_is_looked_up_only_when_it_is_called(rig: Rig) -> None:
    rig.ran(callback_url="https://no-such-host.invalid/in")
    rig.reconcile()
    assert set(rig.deliver()) <= {"retry", "put off"} and len(rig.deliveries) == 2


def test_a_run_that_begins_with_a_fan_out_says_that_it_has_started(rig: Rig, to: Inbox) -> None:
    rig.ran("probe.group", callback_url=to.url)
    rig.deliver_until_quiet()
    assert to.events == ["run.started", "run.completed"]


def test_a_retry_calls_back_as_well(rig: Rig, to: Inbox) -> None:
    probes.BEFORE["third"] = probes.fails(1)
    first = rig.ran(on_failure="compensate", callback_url=to.url)
    again = str(runs.retry(rig.world, LOCAL, first)["id"])
    rig.driver.finish(again)
    rig.deliver_until_quiet()
    told = {(received.data["id"], received.event) for received in to.received}
    assert told >= {(first, "run.failed"), (again, "run.started"), (again, "run.completed")}


def test_a_run_that_is_being_undone_says_which_step_failed(rig: Rig, to: Inbox) -> None:
    rig.endpoint(to.url, "run.compensating", "run.failed")
    probes.BEFORE["third"] = probes.fails()
    rig.ran(on_failure="compensate")
    rig.deliver_until_quiet()
    begins, ends = (received.data for received in to.in_order)
    assert begins["error"] == ends["error"] and ends["error"]["step"] == "third"


def test_a_callback_goes_with_its_run(rig: Rig, to: Inbox) -> None:
    run_id = rig.ran(callback_url=to.url)
    rig.world.db.write(partial(run_rows.delete_run, run_id=run_id))
    assert rig.rows(webhook) == rig.deliveries == []
