"""Whoever subscribed hears that a run needs an operator: held, blocked, or with an undo that has failed."""

from typing import Any

import pytest

from app.domain.errors import OutcomeUnknown
from tests.integration.webhooks_flow.receiver import Inbox
from tests.integration.webhooks_flow.rig import Rig
from tests.support.probes import BEFORE, fails


def told(rig: Rig, to: Inbox, event: str, type_: str, **order: Any) -> dict[str, Any]:
    """What the only message about this event says of the run, which stands still now."""
    rig.endpoint(to.url, event)
    rig.ran(type_, **order)
    rig.deliver_until_quiet()
    (received,) = to.received
    assert (received.event, received.data["needsOperator"], received.data["status"]) == (
        event,
        True,
        "running",
    )
    return received.data


def test_of_a_run_that_is_held(rig: Rig, to: Inbox) -> None:
    BEFORE["second"] = fails()
    data = told(rig, to, "run.held", "probe.line", on_failure="hold")
    assert data["detail"] == "failed_held"
    assert (data["error"]["step"], data["waitingOn"]["step"]) == ("second", "second")
    assert "second failed (STEP_FAILED: told to fail)" in data["waitingOn"]["text"]
    assert data["waitingOn"]["until"] in data["waitingOn"]["text"]


def test_of_a_run_whose_outcome_is_unknown(rig: Rig, to: Inbox) -> None:
    BEFORE["once"] = fails(error=OutcomeUnknown)
    data = told(rig, to, "run.blocked", "probe.once")
    assert (data["detail"], data["waitingOn"]["kind"]) == ("blocked", "operator")
    assert "once is not repeated by itself" in data["waitingOn"]["text"]


def test_of_an_undo_that_has_failed_for_good(rig: Rig, to: Inbox) -> None:
    BEFORE.update({"third": fails(), "undo first": fails()})
    data = told(rig, to, "run.needs_operator", "probe.line")
    assert (data["detail"], data["waitingOn"]["step"]) == ("compensation_failed", "first")
    assert "the undo of first has failed for good" in data["waitingOn"]["text"]


@pytest.mark.parametrize(
    ("trouble", "type_", "order", "event"),
    [
        ({"second": fails()}, "probe.line", {"on_failure": "hold"}, "run.held"),
        ({"once": fails(error=OutcomeUnknown)}, "probe.once", {}, "run.blocked"),
        ({"third": fails(), "undo first": fails()}, "probe.line", {}, "run.needs_operator"),
    ],
    ids=["held", "blocked", "undo"],
)
def test_callbacks_are_told_as_well(
    rig: Rig, to: Inbox, trouble: dict[str, Any], type_: str, order: dict[str, Any], event: str
) -> None:
    BEFORE.update(trouble)
    rig.ran(type_, callback_url=to.url, **order)
    rig.deliver_until_quiet()
    assert to.events == ["run.started", event]
