"""A callback from the order that names it to the run's end, and what retries and retention make of it."""

from functools import partial

import pytest

from app.auth.keys import LOCAL
from app.domain.errors import ValidationFailed
from app.record.runs import runs as run_rows
from app.record.tables import run, webhook
from app.services import runs
from tests.integration.webhooks_flow.box import Box
from tests.integration.webhooks_flow.office import Office
from tests.support import probes


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/", "https://0x0a000001/", "https://10.1/", "ftp://receiver.example/", "x"]
)
def test_a_url_that_can_never_be_called_is_refused_and_nothing_starts(office: Office, url: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        office.start(callback_url=url)
    assert list(refused.value.details["fields"]) == ["callbackUrl"]
    assert office.rows(run) == office.rows(webhook) == []


def test_a_host_name_is_looked_up_only_when_it_is_called(office: Office) -> None:
    office.ran(callback_url="https://no-such-host.invalid/in")
    office.reconcile()
    assert set(office.deliver()) <= {"retry", "put off"} and len(office.deliveries) == 2


def test_a_run_that_begins_with_a_fan_out_says_that_it_has_started(office: Office, to: Box) -> None:
    office.ran("probe.group", callback_url=to.url)
    office.deliver_until_quiet()
    assert to.events == ["run.started", "run.completed"]


def test_a_retry_calls_back_as_well(office: Office, to: Box) -> None:
    probes.BEFORE["third"] = probes.fails(1)
    first = office.ran(on_failure="compensate", callback_url=to.url)
    again = str(runs.retry(office.world, LOCAL, first)["id"])
    office.driver.finish(again)
    office.deliver_until_quiet()
    told = {(mail.data["id"], mail.event) for mail in to.mail}
    assert told >= {(first, "run.failed"), (again, "run.started"), (again, "run.completed")}


def test_a_run_that_is_being_undone_says_which_step_failed(office: Office, to: Box) -> None:
    office.endpoint(to.url, "run.compensating", "run.failed")
    probes.BEFORE["third"] = probes.fails()
    office.ran(on_failure="compensate")
    office.deliver_until_quiet()
    begins, ends = (mail.data for mail in to.in_order)
    assert begins["error"] == ends["error"] and ends["error"]["step"] == "third"


def test_a_callback_goes_with_its_run(office: Office, to: Box) -> None:
    run_id = office.ran(callback_url=to.url)
    office.world.db.write(partial(run_rows.delete_run, run_id=run_id))
    assert office.rows(webhook) == office.deliveries == []
