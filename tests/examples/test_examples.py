"""Every practical example works as written, and survives a kill at every commit."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.examples.approval import approval_workflow
from tests.examples.batch_process import batch_process
from tests.examples.document_approval import document_approval
from tests.examples.error_handling import error_handling, retrying
from tests.examples.fan_in import aggregate_results, process_items
from tests.examples.generate_report import generate_report
from tests.examples.parent_child import data_processing, parent_workflow
from tests.examples.process_order import process_order
from tests.examples.process_user_data import process_user_data
from tests.examples.rate_limited import rate_limited
from tests.examples.track_events import track_events
from tests.examples.welcome_mail import send_welcome_email
from windlass import Definition
from windlass.testing import Harness, RunFailed, survives

ITEMS = {"items": [{"id": n, "value": n} for n in range(5)]}


@pytest.mark.parametrize(
    ("definition", "given", "result"),
    [
        (send_welcome_email, {"userId": "user-123"}, {"success": True, "userId": "user-123"}),
        (process_user_data, {"userId": "user-123"}, {"success": True}),
        (process_order, {"orderId": "order-1"}, {"shipped": True}),
        (generate_report, {"type": "sales"}, {"reportId": "report-of-run_1"}),
        (rate_limited, {"items": [1, 2, 3]}, {"processed": 3}),
        (process_items, ITEMS, {"results": [0, 2, 4, 6, 8]}),
        (aggregate_results, ITEMS, {"total": 20, "results": [0, 2, 4, 6, 8]}),
        (data_processing, {"rounds": 20}, {"rounds": 20}),
        (
            parent_workflow,
            {"value": 1},
            {"runId": "run_1", "child": {"parentRunId": "run_1", "value": 2}},
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Definition) else "",
)
def test_an_example_gives_its_result_wherever_its_worker_is_killed(
    definition: Definition, given: Any, result: Any
) -> None:
    assert survives(lambda h: h.start(definition, given).result()) == result


def test_a_batch_counts_what_failed() -> None:
    with Harness() as h:
        assert h.start(batch_process, {"batchId": "batch-1"}).result() == {
            "total": 4,
            "succeeded": 3,
            "failed": 1,
        }


def test_an_order_that_cannot_be_shipped_is_undone_newest_first() -> None:
    def story(h: Harness) -> Any:
        run = h.start(process_order, {"orderId": "order-2"}).finish()
        return run.status, run.error and run.error["message"], run.undone

    told = "Unshippable: an anvil is too heavy"
    assert survives(story) == ("failed", told, ("update-inventory", "process-payment"))


@pytest.mark.parametrize(
    ("decision", "result"),
    [
        ({"approved": True}, {"status": "approved"}),
        ({"approved": False, "reason": "too much"}, {"status": "rejected", "reason": "too much"}),
    ],
)
def test_an_expense_waits_for_its_manager(decision: Any, result: Any) -> None:
    def story(h: Harness) -> Any:
        run = h.start(approval_workflow, {"amount": 100})
        assert run.waiting == ("signal 'manager-approval'",)
        run.signal("manager-approval", decision)
        return run.result()

    assert survives(story) == result


def test_items_are_a_second_apart() -> None:
    with Harness() as h:
        began = h.now
        run = h.start(rate_limited, {"items": [1, 2, 3]}).finish()
        assert h.now - began == timedelta(seconds=3)
        keys = [step.key for step in run.steps if step.kind == "task"]
        assert keys == ["process-item", "process-item#2", "process-item#3"]


@pytest.mark.parametrize("approved", [True, False])
def test_a_document_is_published_when_its_hook_says_so(approved: bool) -> None:
    def story(h: Harness) -> Any:
        run = h.start(document_approval, {"documentId": "doc-1"})
        h.execute_hook(run.token("document-approval"), {"approved": approved})
        run.finish()
        return run.status, run.error and run.error["message"]

    ended = ("completed", None) if approved else ("failed", "DocumentRejected: Document rejected")
    assert survives(story) == ended


@pytest.mark.parametrize(("succeeds_at", "tries"), [(1, 1), (4, 4)])
def test_a_step_is_retried_three_times(tmp_path: Path, succeeds_at: int, tries: int) -> None:
    with Harness() as h:
        began = h.now
        run = h.start(retrying, {"file": str(tmp_path / "tries"), "succeedsAt": succeeds_at})
        assert run.result() == {"tries": tries}
        assert h.now - began == timedelta(seconds=tries - 1)


def test_after_its_last_attempt_a_step_has_failed_and_tells_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        Harness() as h,
        pytest.raises(RunFailed, match="at step 'retryable-step': Unreachable: no answer to try 4"),
    ):
        h.start(retrying, {"file": str(tmp_path / "tries"), "succeedsAt": 9}).result()
    assert [record.message for record in caplog.records] == ["Step failed: no answer to try 4"]


def test_an_error_is_told_as_an_event_and_raised_again_or_handled(tmp_path: Path) -> None:
    with Harness() as h:
        run = h.start(error_handling, {"file": str(tmp_path / "one")}).finish()
        assert (run.status, run.error and run.error["message"]) == (
            "failed",
            "Unreachable: no answer to try 1",
        )
        assert run.events[-1].payload["error"] == "no answer to try 1"
        handled = h.start(error_handling, {"file": str(tmp_path / "two"), "goOn": True})
        assert handled.result() == {"handled": "no answer to try 1"}


def test_events_of_ones_own_stand_around_the_step() -> None:
    with Harness() as h:
        types = [event.type for event in h.start(track_events).finish().events]
        assert types == ["step-started", "step.completed", "step-completed"]


def test_a_runaway_is_stopped_by_its_limit() -> None:
    with Harness() as h:
        run = h.start(data_processing, {"rounds": 1000}).finish()
        assert run.error and run.error["code"] == "MAX_EVENTS_EXCEEDED"
