"""One action on many runs: each has its own result; `count` only says what would happen.

bulk.count(world, principal, "cancel", chosen)      # How many, and which of them would be refused.
bulk.do(world, principal, "cancel", chosen, {"reason": "wrong image"})
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.auth.keys import Principal
from app.domain.errors import Forbidden, Rejected, Unavailable, ValidationFailed
from app.domain.rows.runs import RunRow
from app.engine.transitions import operator_actions
from app.record.paging import Window
from app.record.runs import run_list, runs
from app.record.session import Tx
from app.services import authority
from app.services import runs as service
from app.services.context import AppContext
from app.services.run_query import filters_of

Object = dict[str, Any]
MOST = 200  # Runs that one request changes; the rest is left to the next one.
Do = Callable[[AppContext, Principal, str, Mapping[str, Any]], RunRow]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which runs are meant: these, or those that a list with these filters has; exactly one is given."""

    ids: Sequence[str] | None = None
    filter: Mapping[str, object] | None = None


def count(world: AppContext, principal: Principal, verb: str, chosen: Chosen) -> Object:
    """How many runs are meant, how many of them would be changed now, and why the others would not."""
    rows, total = _chosen(world, chosen)
    live = world.db.read(lambda tx: {run_id: runs.live_retry(tx, run_id) for run_id in rows})
    refused = [
        {"id": run_id, "reason": reason}
        for run_id, row in rows.items()
        for reason in [_refusal(principal, verb, row, live[run_id])]
        if reason is not None
    ]
    meant = {"matched": total, "considered": len(rows), "possible": len(rows) - len(refused)}
    return {"action": verb, "dryRun": True, **meant, "refused": refused, "results": []}


def do(
    world: AppContext, principal: Principal, verb: str, chosen: Chosen, options: Mapping[str, object]
) -> Object:
    """Do it to each of them, newest first; a refusal stands in its result and stops nothing."""
    rows, total = _chosen(world, chosen)
    results = [_one(world, principal, verb, run_id, options) for run_id in rows]
    done = sum(1 for one in results if "error" not in one)
    refused = [{"id": one["id"], "reason": one["error"]["message"]} for one in results if "error" in one]
    meant = {"matched": total, "considered": len(rows), "possible": done}
    return {"action": verb, "dryRun": False, **meant, "refused": refused, "results": results}


def _chosen(world: AppContext, chosen: Chosen) -> tuple[dict[str, RunRow | None], int]:
    """The rows of the runs that are meant, and how many match in all; None where there is no such run."""
    if (chosen.ids is None) == (chosen.filter is None):
        raise ValidationFailed.of("ids", "Give either ids or filter, and not both")
    if chosen.ids is not None:
        wanted = list(dict.fromkeys(chosen.ids))
        return world.db.read(lambda tx: {one: runs.read_run(tx, one) for one in wanted}), len(wanted)
    filters = filters_of(world, chosen.filter or {})

    def look(tx: Tx) -> tuple[dict[str, RunRow | None], int]:
        found = run_list.list_runs(tx, filters, Window(limit=MOST))
        return {row["id"]: runs.read_run(tx, row["id"]) for row in found.rows}, found.total

    return world.db.read(look)


def _refusal(principal: Principal, verb: str, row: RunRow | None, live_retry: str | None) -> str | None:
    if row is None:
        return "There is no such run."
    try:
        authority.check_run(principal, row)
    except Forbidden as error:
        return error.message
    acknowledged = row["acknowledged_at"] is not None
    refused = operator_actions.refusals(
        row["status"], live_retry, kind=row["kind"], acknowledged=acknowledged
    )
    return refused.get(verb)


def _one(
    world: AppContext, principal: Principal, verb: str, run_id: str, options: Mapping[str, object]
) -> Object:
    try:
        row = VERBS[verb](world, principal, run_id, options)
    except Unavailable:
        raise
    except Rejected as error:
        body = {"code": error.code, "message": error.message, "details": error.details}
        return {"id": run_id, "status": error.status, "error": body}
    return {"id": run_id, "status": 202, "workflowId": row["id"], "detail": row["status"]}


def _act(action: str) -> Do:
    return lambda world, who, run_id, options: service.act(
        world, who, run_id, action, reason=options.get("reason")
    )


VERBS: Mapping[str, Do] = {
    "retry": lambda world, who, run_id, options: service.retry(
        world, who, run_id, from_=options.get("from_"), reason=options.get("reason")
    ),
    "cancel": lambda world, who, run_id, options: service.cancel(
        world, who, run_id, options.get("reason"), options.get("mode", "graceful")
    ),
    "resume": _act("resume"),
    "acknowledge": _act("acknowledge"),
}
