"""Runs that need an operator, and other things that wait; the overview shows a part of them."""

from typing import Any

from app.console import api_client, batches, runs
from app.console.family import pages
from app.console.render import may, render

MOST, MOST_WAITING = 40, 25  # More is in the list of runs.
Object = dict[str, Any]


@pages.page("GET", "/attention", scope="runs:read")
def attention() -> str:
    """Runs that need an operator, and below them runs that will go on without one."""
    needs = api_client.get(runs.PATH, needsOperator="true", limit=MOST)
    stuck = api_client.get(runs.PATH, waiting="true", limit=MOST_WAITING)
    known = {run["id"] for run in needs.data}
    return render(
        "attention.html",
        title="Attention",
        needs=[attended(run) for run in needs.data],
        waits=[runs.row(run) for run in stuck.data if run["id"] not in known],
        more_needs=(needs.pagination.get("total") or 0) > MOST,
        more_waits=(stuck.pagination.get("total") or 0) > MOST_WAITING,
        **beside_runs(),
        webhooks=_switched_off(),
        watch=api_client.question(runs.PATH, {"needsOperator": "true"}, limit=20),
    )


def beside_runs() -> Object:
    """Other things that need an operator: missing approvals, and queues without workers."""
    return {"approvals": batches.awaiting(), "unserved": _unserved()}


def attended(run: Object) -> Object:
    """A run that needs an operator, with the actions that let it continue."""
    allowed = run.get("allowedActions") or VERBS.get(str(run["detail"]), ())
    order = [verb for verb in ("resume", "resolve", "retry", "compensate", "skip") if verb in allowed]
    return {**runs.row(run), "verbs": order[:2]}


VERBS: dict[str, tuple[str, ...]] = {
    "failed_held": ("resume", "retry"),
    "blocked": ("resolve", "resume"),
    "compensation_failed": ("resume", "resolve"),
}


def _unserved() -> list[Object]:
    """Queues with work and without a worker, each with the pools that would serve it and are drained."""
    bare = [one for one in api_client.get("/v1/queues").data if one["expected"] and not one["workers"]]
    pools = api_client.get("/v1/workers").data if bare else []
    return [
        {**one, "drained": [each["name"] for each in pools if _would_serve(each, one["queue"])]}
        for one in bare
    ]


def _would_serve(pool: Object, queue: str) -> bool:
    return bool(pool["drained"]) and queue in pool["queues"]


def _switched_off() -> list[Object]:
    if not may("webhooks"):
        return []
    return [one for one in api_client.get("/v1/webhooks", limit=MOST).data if one["disabledReason"]]
