"""The envelope of every answer: ``{success, data, meta}`` (contracts/runs.rst#envelope)."""

import time
from collections.abc import Mapping, Sequence

from flask import Response, g, jsonify

from app.api.http.context import world
from app.domain.clock import rfc3339
from app.domain.ids import request_id
from app.domain.rows.runs import RunRow

Shown = Mapping[str, object] | Sequence[Mapping[str, object]]  # JSON, as a presenter made it.
Headed = tuple[Shown, int | None, Mapping[str, str]]  # With a status, if not the usual one, and headers.
Answer = Shown | tuple[Shown, int] | Headed | Response | None  # What a view returns.


def begin() -> None:
    """Give the request its id; the access log, the header and ``meta`` carry it."""
    g.meta = {}
    g.request_id = request_id("local")  # For the case that the settings cannot be had.
    g.request_id = request_id(world().settings.region)


def meta() -> dict[str, object]:
    """The base part of ``meta`` and what the view added."""
    return {"requestId": g.request_id, "timestamp": rfc3339(time.time_ns() // 1_000_000), **g.meta}


def add_meta(**members: object) -> None:
    """Add members to ``meta``: pagination, workflowId, estimatedDuration."""
    g.meta.update(members)


def wrap(data: object) -> dict[str, object]:
    """A success."""
    return {"success": True, "data": data, "meta": meta()}


def accepted(data: Shown, run: RunRow) -> Headed:
    """202 for a run that was started: where to follow it, when to look, how long it usually takes."""
    add_meta(workflowId=run["id"], estimatedDuration=run["eta_ms"])
    return data, 202, {"Location": f"/v1/workflows/runs/{run['id']}", "Retry-After": "1"}


def plain(data: object, status: int = 200) -> Response:
    """A success in another shape than the operation's usual one: a plan instead of a run."""
    response = jsonify(wrap(data))
    response.status_code = status
    return response
