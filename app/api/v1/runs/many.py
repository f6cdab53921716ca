"""Many runs at once, and what people say about one (contracts/runs.rst#operators)."""

from typing import Any

from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.v1 import examples
from app.api.v1.runs import show
from app.api.v1.runs.bulk_schemas import (
    BulkAnswer,
    BulkBody,
    BulkCancelBody,
    BulkQuery,
    BulkRetryBody,
    ExportShape,
    HookShape,
    NoteBody,
    NoteShape,
    SignalQuery,
    SignalShape,
)
from app.api.v1.runs.views import PATH, runs
from app.services import bulk, run_pages
from app.services import runs as service
from app.services.bulk import Chosen

__all__ = ["runs"]  # With the operations of this module.


def _many(verb: str, query: dict[str, object], body: dict[str, Any]) -> Answer:
    chosen = Chosen(ids=body.pop("ids", None), filter=body.pop("filter", None))
    if query["dry_run"]:
        return bulk.count(world(), principal(), verb, chosen)
    return bulk.do(world(), principal(), verb, chosen, body)


@runs.serve("POST", f"{PATH}:retry", "retryRuns", scope="runs:write")
@runs.arguments(BulkQuery, location="query")
@runs.arguments(BulkRetryBody, example={"filter": {"errorCode": "BMC_REFUSED"}, "from": "earliest"})
@runs.response(200, BulkAnswer, example=examples.BULK)
def retry_runs(query: dict[str, object], body: dict[str, object]) -> Answer:
    """Retry many runs, each as a new one; a refusal stands in its result and stops nothing."""
    return _many("retry", query, body)


@runs.serve("POST", f"{PATH}:cancel", "cancelRuns", scope="runs:write")
@runs.arguments(BulkQuery, location="query")
@runs.arguments(BulkCancelBody, example={"ids": [examples.RUN_ID], "reason": "wrong image"})
@runs.response(200, BulkAnswer, example=examples.BULK)
def cancel_runs(query: dict[str, object], body: dict[str, object]) -> Answer:
    """Ask many runs to stop; what they did is undone."""
    return _many("cancel", query, body)


@runs.serve("POST", f"{PATH}:resume", "resumeRuns", scope="runs:write")
@runs.arguments(BulkQuery, location="query")
@runs.arguments(BulkBody, example={"filter": {"needsOperator": True}, "reason": "switch replaced"})
@runs.response(200, BulkAnswer, example=examples.BULK)
def resume_runs(query: dict[str, object], body: dict[str, object]) -> Answer:
    """Let many held or blocked runs try their failed steps again."""
    return _many("resume", query, body)


@runs.serve("POST", f"{PATH}:acknowledge", "acknowledgeRuns", scope="runs:write")
@runs.arguments(BulkQuery, location="query")
@runs.arguments(BulkBody, example={"filter": {"status": ["failed"]}, "reason": "ticket 4711"})
@runs.response(200, BulkAnswer, example=examples.BULK)
def acknowledge_runs(query: dict[str, object], body: dict[str, object]) -> Answer:
    """Say of many failed runs that they are dealt with; nothing else changes."""
    return _many("acknowledge", query, body)


@runs.serve("GET", f"{PATH}/<run_id>/notes", "listRunNotes", scope="runs:read")
@runs.response(200, NoteShape(many=True), example=[examples.NOTE])
def list_run_notes(run_id: str) -> Answer:
    """What operators did to a run and why, and their remarks; the newest 200."""
    return run_pages.notes(world(), run_id)


@runs.serve("POST", f"{PATH}/<run_id>/notes", "addRunNote", scope="runs:write")
@runs.arguments(NoteBody, example={"text": "controller replaced, ticket 4711"})
@runs.response(201, NoteShape(many=True), example=[examples.NOTE])
def add_run_note(body: dict[str, Any], run_id: str) -> Answer:
    """Write a remark into the log of a run, also of one that has ended."""
    show.row(run_id)
    service.note(world(), principal(), run_id, body["text"])
    return run_pages.notes(world(), run_id), 201


@runs.serve("GET", f"{PATH}/<run_id>/hooks", "listRunHooks", scope="runs:read")
@runs.response(200, HookShape(many=True), example=[examples.HOOK_OF_RUN])
def list_run_hooks(run_id: str) -> Answer:
    """The hooks of a run, the newest 200; a token is shown to whoever made it alone."""
    return run_pages.open_hooks(world(), run_id)


@runs.serve("GET", f"{PATH}/<run_id>/signals", "listRunSignals", scope="runs:read")
@runs.arguments(SignalQuery, location="query")
@runs.response(200, SignalShape(many=True), example=[examples.SIGNAL])
def list_run_signals(query: dict[str, Any], run_id: str) -> Answer:
    """The newest signals that a run was sent, 200 or a MiB of them; `unread`: those that none took yet."""
    return run_pages.sent_signals(world(), run_id, unread=query["unread"])


@runs.serve("GET", f"{PATH}/<run_id>/export", "exportRun", scope="runs:read")
@runs.response(200, ExportShape, example=examples.EXPORT)
def export_run(run_id: str) -> Answer:
    """A run, its steps and its log as one document; of a long log the first 10,000 events or 16 MiB."""
    return run_pages.export(world(), run_id)
