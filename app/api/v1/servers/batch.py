"""Many servers at once: each item is judged by itself, and gets its own result."""

from collections.abc import Sequence
from typing import Any

from marshmallow import ValidationError

from app.api.http import envelope, problems
from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.schemas import flattened
from app.api.v1.servers import orders, show
from app.api.v1.servers.schemas import RegisterBody
from app.domain.errors import Rejected, Unavailable, ValidationFailed
from app.domain.rows.runs import RunRow
from app.services import servers as service

MOST_ITEMS = 500
_schema = RegisterBody()


def imported(items: Sequence[object]) -> tuple[list[dict[str, object]], int]:
    """207 with one result for each item, in their order."""
    if not 1 <= len(items) <= MOST_ITEMS:
        problem = f"must have 1 to {MOST_ITEMS} items"
        raise ValidationFailed(f"body: {problem}", fields={"body": problem}, limit=MOST_ITEMS)
    return [_one(index, item) for index, item in enumerate(items)], 207


def taken(body: dict[str, Any]) -> Answer:
    """202 with every machine that was taken and the run that installs it."""
    pool_id, count = body.pop("pool_id"), body.pop("count")
    values, options = orders.given(body), orders.action_options(body)
    started = service.provision_from_pool(world(), principal(), pool_id, count, values, **options)
    results = [
        {"server": show.shown(server), "workflowId": run["id"], "estimatedDuration": run["eta_ms"]}
        for server, run in started
    ]
    return envelope.accepted({"results": results}, started[0][1])


def _one(index: int, item: object) -> dict[str, object]:
    try:
        server, run = _registered(item)
    except Unavailable:
        raise
    except Rejected as error:
        return {"index": index, "status": error.status, "error": problems.error_body(error)}
    return {"index": index, "status": 202, "data": show.shown(server), "workflowId": run["id"]}


def _registered(item: Any) -> tuple[dict[str, Any], RunRow]:
    try:
        body = _schema.load(item)
    except ValidationError as error:
        raise ValidationFailed.many(flattened(error.messages)) from None
    options = {"idempotency_key": None, **{name: body[name] for name in orders.ABOUT_RUN if name in body}}
    return service.register(world(), principal(), orders.machine(body), **options)
