"""Batches: one definition over several providers, undone as easily as made (contracts/batches.rst)."""

from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, request

from app.api.batch import examples, order, progress
from app.api.batch.family import PATH, BatchFamily
from app.api.batch.schemas import (
    BatchCancelBody,
    BatchChanged,
    BatchCheckpointBody,
    BatchDetail,
    BatchEmptyBody,
    BatchGraph,
    BatchItem,
    BatchProgress,
    BatchQuery,
    BatchRetryBody,
    BatchRollback,
    BatchRollbackBody,
    BatchStats,
    BatchSubmitted,
    BatchSummary,
    DetailQuery,
    GraphQuery,
    ItemsQuery,
    SubmitQuery,
)
from app.api.http import envelope, keys
from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.domain.batch import drawing, graph
from app.domain.errors import ValidationFailed
from app.domain.json import JsonObject
from app.engine.batches.start import TYPE
from app.record.runs import runs
from app.services import authority
from app.services import batches as service
from app.services.context import AppContext

batches = BatchFamily(
    "batches", "Batches: operations over several providers, with dependencies and rollback."
)
ONE = f"{PATH}/<batch_id>"
STREAM = "text/event-stream"
MERMAID, DOT = "text/vnd.mermaid", "text/vnd.graphviz"
DRAWINGS = {"mermaid": (drawing.mermaid, MERMAID), "dot": (drawing.dot, DOT)}


@batches.serve(
    "POST", f"{PATH}/submit", "submitBatch", scope="runs:write", errors=(413, 415, 422), own_key=True
)
@batches.definition(example=examples.ORDER)
@batches.arguments(SubmitQuery, location="query")
@batches.also(200, BatchSubmitted, example=examples.SUBMITTED, description="The plan, when dry_run is true.")
@batches.response(202, BatchSubmitted, example=examples.SUBMITTED)
def submit_batch(query: dict[str, object]) -> Answer:
    """Start a batch from a definition in Nickel or JSON, or with `dry_run` see what it would do."""
    acting, asked = _acting(), order.read(query)
    only, except_ = asked.only, asked.except_
    if asked.dry_run:
        return service.plan(acting, asked.definition, only=only, except_=except_), 200
    told = service.submit(
        *(acting, principal(), asked.definition),
        key=asked.key,
        only=only,
        except_=except_,
        source=asked.source,
    )
    return _accepted(told)


@batches.serve("POST", f"{PATH}/graph", "drawBatch", scope="runs:read", errors=(413, 415, 422), own_key=True)
@batches.definition(example=examples.ORDER)
@batches.arguments(SubmitQuery, location="query")
@batches.response(200, BatchGraph, example=examples.GRAPH)
def draw_batch(query: Mapping[str, object]) -> Answer:
    """The graph of a definition; nothing is stored."""
    asked = order.read(query)
    chosen = graph.selected(asked.definition.operations, asked.only, asked.except_)
    return drawing.data(drawing.of_definition(chosen))


@batches.serve("GET", PATH, "listBatches", scope="runs:read")
@batches.arguments(BatchQuery, location="query")
@batches.response(200, BatchSummary(many=True), example=[examples.SUMMARY])
def list_batches(query: dict[str, Any]) -> Answer:
    """Batches, the newest first."""
    limit, offset = query["limit"], query["offset"]
    found, total = service.page(
        world(), status=query.get("status"), name=query.get("name"), limit=limit, offset=offset
    )
    envelope.add_meta(pagination={"total": total, "limit": limit, "offset": offset})
    return found


@batches.serve("GET", f"{PATH}/stats", "getBatchStats", scope="runs:read")
@batches.response(200, BatchStats, example=examples.STATS)
def get_batch_stats() -> Answer:
    """Figures of all batches there ever were."""
    return service.stats(world())


@batches.serve("GET", ONE, "getBatch", scope="runs:read")
@batches.arguments(DetailQuery, location="query")
@batches.response(200, BatchDetail, example=examples.DETAIL)
def get_batch(query: dict[str, Any], batch_id: str) -> Answer:
    """A batch with its operations, items, checkpoints and rollback."""
    return service.detail(world(), batch_id, items=query["items"])


@batches.serve("GET", f"{ONE}/operations/<operation_id>", "listBatchItems", scope="runs:read")
@batches.arguments(ItemsQuery, location="query")
@batches.response(200, BatchItem(many=True), example=[examples.ITEM])
def list_batch_items(query: dict[str, Any], batch_id: str, operation_id: str) -> Answer:
    """The items of an operation, in the order of the definition."""
    limit, offset = query["limit"], query["offset"]
    found, total = service.operation_items(world(), batch_id, operation_id, limit=limit, offset=offset)
    envelope.add_meta(pagination={"total": total, "limit": limit, "offset": offset})
    return found


@batches.serve(
    "GET", f"{ONE}/progress", "getBatchProgress", scope="runs:read", offers=("application/json", STREAM)
)
@batches.response(200, BatchProgress, example=examples.PROGRESS)
def get_batch_progress(batch_id: str) -> Answer:
    """How far a batch is; as text/event-stream the same object at each change, until the batch ends."""
    if request.accept_mimetypes.best_match(("application/json", STREAM)) != STREAM:
        return service.progress(world(), batch_id)
    ctx = world()
    service.find(ctx, batch_id)

    def look() -> tuple[int, JsonObject]:
        # The number is read first: a change between the two reads is sent twice rather than missed.
        run = ctx.db.read(lambda tx: runs.read_run(tx, batch_id))
        return (run["event_seq"] if run else 0), service.progress(ctx, batch_id)

    frames = progress.frames(look, _last_seen(), keys.permit())
    leave = current_app.extensions["windlass.places"].take()
    response = Response(frames, mimetype=STREAM, headers={"X-Accel-Buffering": "no"})
    response.call_on_close(leave)
    return response


@batches.serve("POST", f"{ONE}/rollback", "rollBackBatch", scope="runs:write", errors=(422,))
@batches.arguments(BatchRollbackBody, required=False, example={"operations": ["aws_taskservs"]})
@batches.also(200, BatchRollback, example={**examples.ROLLBACK, "rollback_id": None, "operations": []})
@batches.response(202, BatchRollback, example=examples.ROLLBACK)
def roll_back_batch(body: dict[str, Any], batch_id: str) -> Answer:
    """Undo what a batch did, item by item, the newest first."""
    told = service.rollback(_acting(), batch_id, **body, principal=principal())
    if body["dry_run"] or told["rollback_id"] is None:
        return told, 200
    return told, 202, _where(batch_id)


@batches.serve("POST", f"{ONE}/cancel", "cancelBatch", scope="runs:write")
@batches.arguments(BatchCancelBody, required=False, example={"rollback": True})
@batches.response(202, BatchChanged, example=examples.CHANGED)
def cancel_batch(body: dict[str, Any], batch_id: str) -> Answer:
    """Start nothing more; what runs ends, and is undone if `rollback` says so."""
    return (
        service.cancel(_acting(), batch_id, rollback=body["rollback"], principal=principal()),
        202,
        _where(batch_id),
    )


@batches.serve("POST", f"{ONE}/pause", "pauseBatch", scope="runs:write")
@batches.arguments(BatchEmptyBody, required=False, example={})
@batches.response(202, BatchChanged, example=examples.CHANGED)
def pause_batch(body: Mapping[str, object], batch_id: str) -> Answer:
    """Start nothing until `resume`; what runs ends."""
    return service.pause(_acting(), batch_id, principal=principal()), 202, _where(batch_id)


@batches.serve("POST", f"{ONE}/resume", "resumeBatch", scope="runs:write")
@batches.arguments(BatchEmptyBody, required=False, example={})
@batches.response(202, BatchChanged, example=examples.CHANGED)
def resume_batch(body: Mapping[str, object], batch_id: str) -> Answer:
    """Go on with a paused batch."""
    return service.resume(_acting(), batch_id, principal=principal()), 202, _where(batch_id)


@batches.serve("POST", f"{ONE}/retry", "retryBatch", scope="runs:write", errors=(422,))
@batches.arguments(BatchRetryBody, required=False, example={"from": "failed"})
@batches.response(202, BatchChanged, example=examples.CHANGED)
def retry_batch(body: dict[str, Any], batch_id: str) -> Answer:
    """Start a new batch that keeps what stands and does the rest again."""
    return _accepted(service.retry(_acting(), batch_id, **body, principal=principal()))


@batches.serve("POST", f"{ONE}/checkpoints", "checkpointBatch", scope="runs:write")
@batches.arguments(BatchCheckpointBody, required=False, example={"name": "before the network"})
@batches.response(202, BatchChanged, example=examples.CHANGED)
def checkpoint_batch(body: dict[str, Any], batch_id: str) -> Answer:
    """Make a checkpoint now."""
    return (
        service.checkpoint(_acting(), batch_id, name=body.get("name"), principal=principal()),
        202,
        _where(batch_id),
    )


@batches.serve("POST", f"{ONE}/operations/<operation_id>/approve", "approveOperation", scope="runs:write")
@batches.arguments(BatchEmptyBody, required=False, example={})
@batches.response(202, BatchChanged, example=examples.CHANGED)
def approve_operation(body: Mapping[str, object], batch_id: str, operation_id: str) -> Answer:
    """Let an operation start that waits for an approval."""
    return service.approve(_acting(), batch_id, operation_id, principal=principal()), 202, _where(batch_id)


@batches.serve(
    "GET", f"{ONE}/graph", "getBatchGraph", scope="runs:read", offers=("application/json", MERMAID, DOT)
)
@batches.arguments(GraphQuery, location="query")
@batches.response(200, BatchGraph, example=examples.GRAPH)
def get_batch_graph(query: Mapping[str, object], batch_id: str) -> Answer:
    """The graph of a batch with the states of its operations, as data, Mermaid or Graphviz."""
    nodes = drawing.of_detail(service.detail(world(), batch_id, items=False)["operations"])
    if query["format"] not in DRAWINGS:
        return drawing.data(nodes)
    draw, kind = DRAWINGS[query["format"]]
    return Response(draw(nodes), content_type=f"{kind}; charset=utf-8")


def _acting() -> AppContext:
    """The context, after a check of the permission to start and change batches, which create servers."""
    authority.check(principal(), TYPE)
    return world()


def _accepted(told: JsonObject) -> Answer:
    return told, 202, _where(told["workflow_id"])


def _where(batch_id: str) -> dict[str, str]:
    """The headers ``Location`` and ``Retry-After`` of an accepted batch."""
    return {"Location": f"{PATH}/{batch_id}", "Retry-After": "1"}


def _last_seen() -> int:
    text = request.headers.get("Last-Event-ID", "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValidationFailed.of("Last-Event-ID", "Not the number of an event")
    return int(text)
