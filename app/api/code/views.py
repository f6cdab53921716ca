"""Code workflows over HTTP, with bare answers (contracts/code-workflows.rst#endpoints)."""

from collections.abc import Mapping
from typing import Any

from flask import current_app

from app.api.code import examples, show
from app.api.code.schemas import (
    EmitBody,
    EventsQuery,
    HookBody,
    HookTaken,
    PatchBody,
    RunQuery,
    RunsQuery,
    SignalBody,
    SignalTaken,
    StopBody,
    TriggerBody,
    WorkflowDefinition,
    WorkflowEvent,
    WorkflowHook,
    WorkflowRun,
    WorkflowRunPage,
)
from app.api.http import hook_calls, idempotency, stream
from app.api.http.bodies import HOOK_LIMIT
from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.family import PUBLIC, BareFamily
from app.services import runs as every_run
from app.services import workflows as service
from app.services.workflows import CodeOrder

workflows = BareFamily("workflows", "Workflows as code: functions that survive.")
RUNS, HOOKS, EVENTS = "/api/workflows/runs", "/api/workflows/hooks", "/api/workflows/events"
ONE = f"{RUNS}/<run_id>"


@workflows.serve("GET", "/api/workflows/definitions", "listWorkflows", scope="runs:read")
@workflows.response(200, WorkflowDefinition(many=True), example=[examples.DEFINITION])
def list_workflows() -> Answer:
    """The workflows that workers have announced, and which of them are served now."""
    return show.workflows()


@workflows.serve("POST", RUNS, "triggerWorkflow", scope="runs:write", errors=(404,))
@workflows.arguments(TriggerBody, example=examples.ORDER)
@workflows.also(200, WorkflowRun, example=examples.RUN, description="The run that has this idempotency key.")
@workflows.response(201, WorkflowRun, example=examples.RUN)
def trigger_workflow(body: dict[str, Any]) -> Answer:
    """Start a run."""
    order = CodeOrder(
        workflow=body["workflow_name"],
        version=body.get("deployment_id"),
        args=body["input"],
        kwargs=body["kwargs"],
        run_id=body.get("run_id"),
        idempotency_key=body.get("idempotency_key") or idempotency.run_key(),
        parent_run_id=body.get("parent_run_id"),
        max_events=body.get("max_events"),
        execution_timeout_ms=body.get("execution_timeout"),
    )
    row, fresh = service.trigger(world(), principal(), order)
    if not fresh:
        return show.run(row["id"]), 200
    return show.accepted(row), 201, {"Location": f"{RUNS}/{row['id']}"}


@workflows.serve("GET", RUNS, "listWorkflowRuns", scope="runs:read")
@workflows.arguments(RunsQuery, location="query")
@workflows.response(200, WorkflowRunPage, example={"data": [examples.RUN], "cursor": None, "hasMore": False})
def list_workflow_runs(query: Mapping[str, object]) -> Answer:
    """Runs of code workflows, the newest first."""
    return show.page(query)


@workflows.serve("GET", ONE, "getWorkflowRun", scope="runs:read")
@workflows.arguments(RunQuery, location="query")
@workflows.response(200, WorkflowRun, example=examples.RUN)
def get_workflow_run(query: dict[str, Any], run_id: str) -> Answer:
    """One run, or the one that goes on in its place (ctx.restart).

    With `wait` the answer is kept back until the run has ended, or needs an operator.
    """
    shown = show.run(run_id, follow=query["follow"])
    if not query.get("wait") or "completedAt" in shown:
        return shown
    places = current_app.extensions["windlass.places"]
    stream.await_change(world(), shown["runId"], query["wait"], places, until_it_ends=True)
    return show.run(run_id, follow=query["follow"])


@workflows.serve("PATCH", ONE, "changeWorkflowRun", scope="runs:write", errors=(409,))
@workflows.arguments(PatchBody, example={"executionContext": {"owner": "team-a"}})
@workflows.response(200, WorkflowRun, example=examples.RUN)
def change_workflow_run(body: Mapping[str, object], run_id: str) -> Answer:
    """Keep something with the run, or cancel it; its outcome cannot be written."""
    service.change(world(), principal(), run_id, body)
    return show.run(run_id)


@workflows.serve("DELETE", ONE, "cancelWorkflowRun", scope="runs:write", errors=(409,))
@workflows.arguments(StopBody, required=False, example={"reason": "ordered twice"})
@workflows.response(200, WorkflowRun, example=examples.RUN)
def cancel_workflow_run(body: dict[str, Any], run_id: str) -> Answer:
    """Cancel a run and undo what it did; nothing is deleted."""
    service.cancel(world(), principal(), run_id, body.get("reason"))
    return show.run(run_id)


@workflows.serve("GET", f"{ONE}/children", "listWorkflowChildren", scope="runs:read")
@workflows.response(200, WorkflowRun(many=True), example=[examples.RUN])
def list_workflow_children(run_id: str) -> Answer:
    """The runs that belong to this one, oldest first."""
    return show.children(run_id)


@workflows.serve("GET", f"{ONE}/parent", "getWorkflowParent", scope="runs:read")
@workflows.response(200, WorkflowRun, example=examples.RUN)
def get_workflow_parent(run_id: str) -> Answer:
    """The run that this one belongs to."""
    return show.parent(run_id)


@workflows.serve("POST", f"{ONE}/signals", "signalWorkflow", scope="runs:write")
@workflows.arguments(SignalBody, example={"name": "manager-approval", "data": {"approved": True}})
@workflows.response(202, SignalTaken, example={"signalId": examples.SIGNAL_ID})
def signal_workflow(body: dict[str, Any], run_id: str) -> Answer:
    """Send a signal; it waits in the run until the function asks for it."""
    key = body.get("idempotency_key") or idempotency.run_key()
    signal_id = service.signal(world(), principal(), run_id, body["name"], body["data"], key)
    return {"signalId": signal_id}


@workflows.serve("GET", f"{ONE}/events", "listWorkflowEvents", scope="runs:read")
@workflows.arguments(EventsQuery, location="query")
@workflows.response(200, WorkflowEvent(many=True), example=[examples.EVENT])
def list_workflow_events(query: dict[str, Any], run_id: str) -> Answer:
    """The log of a run, oldest first, a mebibyte at most: go on `after` the last event of the answer."""
    return show.events(run_id, after=query["after"], limit=query["limit"])


@workflows.serve("POST", EVENTS, "emitWorkflowEvent", scope="runs:write", errors=(404,))
@workflows.arguments(EmitBody, example=examples.EMITTED)
@workflows.response(201, WorkflowEvent, example=examples.EVENT)
def emit_workflow_event(body: dict[str, Any]) -> Answer:
    """Write an event of your own type into the log of a run."""
    told = (body["event_type"], body["payload"], body.get("correlation_id"))
    return show.emitted(service.emit(world(), principal(), body["run_id"], *told))


@workflows.serve("POST", HOOKS, "createWorkflowHook", scope="runs:write", errors=(404,))
@workflows.arguments(HookBody, example=examples.HOOK_ORDER)
@workflows.response(201, WorkflowHook, example=examples.HOOK)
def create_workflow_hook(body: dict[str, Any]) -> Answer:
    """Make a hook; whoever calls its token sends the run the signal of its name, once."""
    asked = (body["run_id"], body["name"], body.get("action"), body.get("metadata"))
    return show.hook_object(service.create_hook(world(), *asked))


@workflows.serve("POST", f"{HOOKS}/<token>", "callWorkflowHook", scope=PUBLIC, errors=(409, 410, 429))
@workflows.json_any(
    limit=HOOK_LIMIT,
    example={"approved": True, "comment": "Approved for publication"},
    before=hook_calls.check,
)
@workflows.response(200, HookTaken, example={"accepted": True})
def call_workflow_hook(payload: object, token: str) -> Answer:
    """Call a hook with any JSON of up to 64 KiB; an exact repeat is taken again. The token is the key."""
    every_run.execute_hook(world(), token, payload)
    return {"accepted": True}
