"""Runs: list, start, follow, cancel, retry, operate (contracts/runs.rst)."""

from typing import Any

from flask import Response, current_app, request

from app.api.http import envelope, idempotency, keys, orders, paging, stream, versions
from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.v1 import examples
from app.api.v1.runs import first, log, show
from app.api.v1.runs.schemas import (
    CancelBody,
    CancelPlan,
    DetailQuery,
    EventQuery,
    PlanShape,
    RetryBody,
    RetryPlanShape,
    RetryQuery,
    RunActionBody,
    RunDetail,
    RunEvent,
    RunQuery,
    RunState,
    RunSummary,
    StartBody,
    StartQuery,
    StateQuery,
)
from app.domain.errors import ValidationFailed
from app.services import cancel_plan, naming, present, retry_plan, run_query
from app.services import runs as service
from app.services.runs import Order

runs = Family("runs", "Runs: what was asked for, how far it is, what became of it.")
PATH = "/v1/workflows/runs"
STREAM = "text/event-stream"
EVENTS = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
    "description": "`id` is the event's seq, `data` the event as JSON.",
}


@runs.serve("GET", PATH, "listRuns", scope="runs:read", errors=(409,))
@runs.arguments(RunQuery, location="query")
@runs.response(200, RunSummary(many=True), example=[examples.RUN])
def list_runs(query: dict[str, object]) -> Answer:
    """Runs, newest first; `sync.*` only when that type or a text is asked for.

    A parameter that begins with `-` excludes: `-type=server.inspect`. Those for types, statuses and details
    may be given several times, and one of their values must hold; all parameters must hold.
    """
    asked = {name: value for name, value in query.items() if name not in paging.POSITION}
    found, shown = show.page(run_query.filters_of(world(), asked), paging.window(query))
    return paging.answer(query, found, shown)


@runs.serve("POST", PATH, "startRun", scope="runs:write", errors=(404,))
@runs.arguments(StartQuery, location="query")
@runs.arguments(StartBody, example={"type": "server.inspect", "resourceId": examples.SERVER_ID, "input": {}})
@runs.also(200, PlanShape, example=examples.PLAN, description="The plan, when dryRun is true.")
@runs.response(202, RunDetail, example=examples.RUN_DETAIL)
def start_run(query: dict[str, Any], body: dict[str, Any]) -> Answer:
    """Start a run of any type, or with `dryRun` see its plan.

    `server.register`, `cluster.create` and `vm.create` take what makes their resource as `input`, as the
    type's `inputSchema` says; with a `resourceId` they repeat the first run of one that is known.
    """
    key = body.pop("idempotency_key", None) or idempotency.run_key()
    if first.is_first(body):
        return _start_first(query, {**body, "idempotency_key": key})
    if "resource_id" in body:
        body["resource_id"] = naming.resource_of(
            world(), service.resource_of(body["type"]), body["resource_id"]
        )
    traceparent = request.headers.get("traceparent", "")[:64] or None
    order = Order(**body, idempotency_key=key, on_conflict=query["on_conflict"], traceparent=traceparent)
    if query["dry_run"]:
        return envelope.plain(present.plan_object(service.preview(world(), principal(), order)))
    return show.started(service.start(world(), principal(), order))


def _start_first(query: dict[str, object], body: dict[str, Any]) -> Answer:
    """A run whose resource is new with it; its tags are those of the resource."""
    about = {name: body[name] for name in orders.ABOUT_RUN if name in body}
    about["on_conflict"] = query["on_conflict"]
    if body.get("tags"):
        body["input"] = {"tags": body["tags"], **body["input"]}
    if query["dry_run"]:
        return envelope.plain(first.plan(body, about))
    return show.accepted(first.start(body, about))


@runs.serve("GET", f"{PATH}/<run_id>", "getRun", scope="runs:read")
@runs.arguments(DetailQuery, location="query")
@runs.also(304, description="Not changed since the ETag in If-None-Match.")
@runs.response(200, RunDetail, example=examples.RUN_DETAIL)
def get_run(query: dict[str, Any], run_id: str) -> Answer:
    """A run with its steps; `wait` keeps the answer back until something changes."""
    if query.get("wait"):
        show.row(run_id)
        stream.await_change(world(), run_id, query["wait"], current_app.extensions["windlass.places"])
    return show.tagged(run_id)


@runs.serve("POST", f"{PATH}/<run_id>/cancel", "cancelRun", scope="runs:write", errors=(412,))
@runs.arguments(RetryQuery, location="query")
@runs.arguments(CancelBody, required=False, example={"reason": "wrong machine", "mode": "graceful"})
@runs.also(200, CancelPlan, example=examples.CANCEL_PLAN, description="The plan, when dryRun is true.")
@runs.response(202, RunDetail, example=examples.RUN_DETAIL)
def cancel_run(query: dict[str, object], body: dict[str, Any], run_id: str) -> Answer:
    """Ask a run to stop; what it did is undone. Repeating it changes nothing."""
    versions.check_run(show.row(run_id))
    if query["dry_run"]:
        return envelope.plain(cancel_plan.preview(world(), principal(), run_id, **body))
    return show.accepted(service.cancel(world(), principal(), run_id, **body))


@runs.serve("POST", f"{PATH}/<run_id>/retry", "retryRun", scope="runs:write", errors=(412,))
@runs.arguments(RetryQuery, location="query")
@runs.arguments(
    RetryBody, required=False, example={"fromStep": "boot-from", "reason": "image server is back"}
)
@runs.also(200, RetryPlanShape, example=examples.RETRY_PLAN, description="The plan, when dryRun is true.")
@runs.response(202, RunDetail, example={**examples.RUN_DETAIL, "retryOf": examples.RUN_ID})
def retry_run(query: dict[str, object], body: dict[str, Any], run_id: str) -> Answer:
    """Start a new run that repeats this one, from the start or from a step; it is linked by `retryOf`."""
    versions.check_run(show.row(run_id))
    if query["dry_run"]:
        return envelope.plain(retry_plan.preview(world(), principal(), run_id, **body))
    return show.accepted(service.retry(world(), principal(), run_id, **body))


@runs.serve("POST", f"{PATH}/<run_id>/actions", "actOnRun", scope="runs:write", errors=(412,))
@runs.arguments(RunActionBody, example={"action": "resume", "reason": "cable replaced"})
@runs.response(202, RunDetail, example=examples.RUN_DETAIL)
def act_on_run(body: dict[str, Any], run_id: str) -> Answer:
    """Move a held, blocked, paused or stuck run."""
    versions.check_run(show.row(run_id))
    return show.accepted(service.act(world(), principal(), run_id, **body))


@runs.serve("GET", f"{PATH}/<run_id>/events", "listRunEvents", scope="runs:read")
@runs.arguments(EventQuery, location="query")
@runs.response(200, RunEvent(many=True), example=[examples.EVENT])
def list_run_events(query: dict[str, object], run_id: str) -> Answer:
    """The log of a run in its order, from the beginning or after an event; a page has about a mebibyte."""
    return log.page(show.row(run_id), query)


@runs.serve("GET", f"{PATH}/<run_id>/state", "getRunState", scope="runs:read")
@runs.arguments(StateQuery, location="query")
@runs.response(200, RunState, example=examples.STATE)
def get_run_state(query: dict[str, Any], run_id: str) -> Answer:
    """What the log says about the run up to an event: the fold of its events."""
    return envelope.plain(log.state(show.row(run_id), query.get("as_of")))


@runs.serve("GET", f"{PATH}/<run_id>/stream", "streamRun", scope="runs:read", offers=(STREAM,))
@runs.response(200, EVENTS, content_type=STREAM, description="Server-sent events.")
def stream_run(run_id: str) -> Response:
    """The events of a run as they happen, after the one in `Last-Event-ID`, until the run ends."""
    show.row(run_id)
    frames = stream.frames(world(), run_id, _last_seen(), keys.permit())
    leave = current_app.extensions["windlass.places"].take()
    response = Response(frames, mimetype=STREAM, headers={"X-Accel-Buffering": "no"})
    response.call_on_close(leave)  # Also when nobody ever reads it, as after HEAD.
    return response


def _last_seen() -> int:
    text = request.headers.get("Last-Event-ID", "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValidationFailed.of("Last-Event-ID", "Not the number of an event")
    return int(text)
