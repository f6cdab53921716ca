"""The practical examples on real workers, started over HTTP with the client, as their readers would."""

from typing import Any

import pytest

from app.record.runs import runs
from tests.acceptance.code.site import Site
from tests.examples.approval import approval_workflow
from tests.examples.batch_process import batch_process
from tests.examples.document_approval import document_approval
from tests.examples.error_handling import error_handling
from tests.examples.fan_in import process_items
from tests.examples.generate_report import generate_report
from tests.examples.parent_child import data_processing, parent_workflow
from tests.examples.process_order import process_order
from tests.examples.process_user_data import process_user_data
from tests.examples.rate_limited import rate_limited
from tests.examples.track_events import track_events
from tests.examples.welcome_mail import send_welcome_email
from tests.support.servers import until
from windlass import Definition, WorkflowRun

PATIENCE_S = 300.0
ITEMS = {"items": [{"id": n, "value": n} for n in range(5)]}
SHOWN: dict[str, tuple[Definition, Any, Any]] = {
    "welcome mail": (
        send_welcome_email,
        {"userId": "user-123"},
        {"success": True, "userId": "user-123"},
    ),
    "user data": (process_user_data, {"userId": "user-123"}, {"success": True}),
    "order": (process_order, {"orderId": "order-1"}, {"shipped": True}),
    "rate limited": (rate_limited, {"items": [1, 2]}, {"processed": 2}),
    "fan-in": (process_items, ITEMS, {"results": [0, 2, 4, 6, 8]}),
    "batch": (batch_process, {"batchId": "batch-1"}, {"total": 4, "succeeded": 3, "failed": 1}),
    "many steps": (data_processing, {"rounds": 20}, {"rounds": 20}),
}


def triggered(site: Site, workflow: Definition, *given: Any) -> str:
    """Start a run; its id."""
    return site.client.workflow.trigger(workflow.name, *given).run_id


def ended(site: Site, run_id: str) -> WorkflowRun:
    """The run once it has ended."""
    return site.client.workflow.wait(run_id, timeout_s=PATIENCE_S)


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_gives_its_result(site: Site, name: str) -> None:
    workflow, given, result = SHOWN[name]
    run = ended(site, triggered(site, workflow, given))
    assert (run.error, run.output) == (None, result)


def test_a_report_names_its_run(site: Site) -> None:
    run = ended(site, triggered(site, generate_report, {"type": "sales"}))
    assert run.output == {"reportId": f"report-of-{run.run_id}"}


def test_a_parent_and_its_child_know_each_other(site: Site) -> None:
    run = ended(site, triggered(site, parent_workflow, {"value": 1}))
    assert run.output == {"runId": run.run_id, "child": {"parentRunId": run.run_id, "value": 2}}
    (child,) = site.client.workflow.get_child_runs(run.run_id)
    assert site.client.workflow.get_parent_run(child.run_id).run_id == run.run_id


def test_an_order_that_cannot_be_shipped_fails_with_its_authors_words_and_is_undone(site: Site) -> None:
    run = ended(site, triggered(site, process_order, {"orderId": "order-2"}))
    assert run.error and run.error.message == "Unshippable: an anvil is too heavy"
    rows = site.db.read(lambda tx: runs.all_steps(tx, run.run_id))
    undone = {row["undoes"]: row["status"] for row in rows if row["phase"] == "comp"}
    assert undone == {"process-payment": "completed", "update-inventory": "completed"}


@pytest.mark.parametrize("approved", [True, False])
def test_an_expense_waits_for_its_manager(site: Site, approved: bool) -> None:
    run_id = triggered(site, approval_workflow, {"amount": 100})
    decision = {"approved": approved, "reason": "too much"}
    site.client.workflow.send_signal(run_id, "manager-approval", decision)
    assert ended(site, run_id).output["status"] == ("approved" if approved else "rejected")


def test_a_hook_of_a_client_sends_the_signal_of_its_name(site: Site) -> None:
    run_id = triggered(site, approval_workflow, {"amount": 100})
    hook = site.client.workflow.create_hook(run_id, "manager-approval", "approve", {"amount": 100})
    until(lambda: site.client.workflow.get_run(run_id).detail == "waiting", PATIENCE_S)
    site.client.workflow.execute_hook(hook.token, {"approved": True, "reason": ""})
    assert ended(site, run_id).output["status"] == "approved"


def test_a_hook_of_another_owner_does_not_publish_a_document(site: Site) -> None:
    run_id = triggered(site, document_approval, {"documentId": "doc-1"})
    hook = site.client.workflow.create_hook(run_id, "document-approval", "approve", {"documentId": "doc-1"})
    until(lambda: site.client.workflow.get_run(run_id).detail == "waiting", PATIENCE_S)
    site.client.workflow.execute_hook(hook.token, {"approved": True})
    assert site.client.workflow.get_run(run_id).detail == "waiting"
    site.client.workflow.cancel(run_id)
    assert site.client.workflow.wait(run_id, timeout_s=PATIENCE_S).status == "cancelled"


def test_an_error_that_is_handled_lets_the_run_go_on(site: Site, tmp_path: Any) -> None:
    run = ended(site, triggered(site, error_handling, {"file": str(tmp_path / "tries"), "goOn": True}))
    assert run.output == {"handled": "no answer to try 1"}


def test_events_of_ones_own_stand_in_the_log(site: Site) -> None:
    run = ended(site, triggered(site, track_events))
    told = [one.event_type for one in site.client.workflow.get_events(run.run_id)]
    assert [one for one in told if one in ("step-started", "step-completed")] == [
        "step-started",
        "step-completed",
    ]
