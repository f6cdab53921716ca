"""Which endpoint receives which event, and that it receives it once."""

import pytest

from app.auth.keys import LOCAL
from app.domain.errors import StepError, ValidationFailed
from app.record.tables import webhook
from app.services import webhooks
from tests.integration.webhooks_flow.receiver import Inbox
from tests.integration.webhooks_flow.rig import Rig
from tests.support.probes import BEFORE, fails

RUN = ["run.created", "run.started", "run.completed"]
STEPS = ["step.completed"] * 3


@pytest.mark.parametrize(
    ("patterns", "told"),
    [
        (("*",), ["run.created", "run.started", *STEPS, "run.completed"]),
        (("run.*",), RUN),
        (("*.completed",), [*STEPS, "run.completed"]),
        (("run.created", "run.*"), RUN),
        (("step.failed", "run.cancelled"), []),
    ],
)
def test_a_pattern_stands_for_the_events_that_it_matches(
    rig: Rig, to: Inbox, patterns: tuple[str, ...], told: list[str]
) -> None:
    made = rig.endpoint(to.url, *patterns)
    rig.ran()
    assert rig.received_by(made.id) == told


def test_each_endpoint_has_one_delivery_for_each_event(rig: Rig, to: Inbox) -> None:
    one, other = rig.endpoint(to.url, "run.*"), rig.endpoint(to.url, "run.completed")
    rig.ran()
    assert (rig.received_by(one.id), rig.received_by(other.id)) == (RUN, ["run.completed"])
    assert rig.deliver_until_quiet() == ["delivered"] * 4
    assert to.events == [*RUN, "run.completed"]


def test_what_only_keeps_the_record_is_told_to_nobody_but_who_asked_for_it(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "*")
    rig.driver.start("sync.cluster-state", {"kind": "vm"}, resource_id="mgt_1")
    assert rig.received_by(made.id) == []
    rig.ran(callback_url=to.url)
    assert "run.completed" in rig.received_by(made.id)


def test_a_step_that_is_tried_again_is_told_of(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "step.retrying", "run.completed")
    BEFORE["first"] = fails(1, StepError)
    rig.ran()
    assert rig.received_by(made.id) == ["step.retrying", "run.completed"]


def test_compensation_is_told_of_when_it_begins_and_the_failure_when_it_has_ended(
    rig: Rig, to: Inbox
) -> None:
    rig.endpoint(to.url, "run.*", "step.failed")
    BEFORE["third"] = fails()
    run_id = rig.ran()
    rig.deliver_until_quiet()
    failed = ["step.failed", "run.compensating", "run.compensated", "run.failed"]
    assert to.events == ["run.created", "run.started", *failed]
    compensating, last = to.in_order[3].data, to.in_order[-1].data
    assert (compensating["status"], compensating["detail"]) == ("running", "compensating")
    assert (last["id"], last["status"], last["error"]["step"]) == (run_id, "failed", "third")
    assert [step["undoes"] for step in last["compensation"]] == ["third", "second", "first"]
    assert {step["status"] for step in last["compensation"]} == {"completed"}


def test_a_cancelled_run_says_so(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.cancelled", "run.completed")
    run_id = rig.start()
    rig.driver.cancel(run_id)
    rig.driver.finish(run_id)
    assert rig.received_by(made.id) == ["run.cancelled"]


def test_an_endpoint_that_is_switched_off_gets_nothing_new(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.*")
    webhooks.change(rig.world, LOCAL, made.id, {"active": False})
    rig.ran()
    assert rig.received_by(made.id) == []


def test_what_is_under_way_when_an_endpoint_is_switched_off_is_not_sent(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.completed")
    rig.ran()
    webhooks.change(rig.world, LOCAL, made.id, {"active": False})
    assert rig.deliver() == ["dead"]
    assert to.received == []
    assert rig.attempts[0]["error"] == "the endpoint is switched off"


def test_an_endpoint_that_is_switched_on_again_is_told_from_then_on(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.created", active=False)
    rig.ran()
    webhooks.change(rig.world, LOCAL, made.id, {"active": True})
    assert rig.received_by(made.id) == []
    rig.ran()
    assert rig.received_by(made.id) == ["run.created"]


def test_other_events_are_told_after_a_change(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.created")
    webhooks.change(rig.world, LOCAL, made.id, {"events": ["*.completed"]})
    rig.ran()
    assert rig.received_by(made.id) == [*STEPS, "run.completed"]


@pytest.mark.parametrize("url", ["http://10.0.0.1:8000/", "http://169.254.169.254/", "http://[::1]:8000/"])
def test_private_addresses_are_refused_unless_the_settings_name_them(rig: Rig, url: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        rig.endpoint(url)
    assert "not public" in refused.value.details["fields"]["url"]
    with pytest.raises(ValidationFailed) as refused:
        rig.start(callback_url=url)
    assert "not public" in refused.value.details["fields"]["callbackUrl"]
    assert rig.rows(webhook) == []
